//! The shortest host: a program, a runtime, a thread, its result.
//!
//! ```console
//! $ cargo run -p grind-runtime --example thread_runtime_basic
//! [I32(42)]
//! ```

use grind_runtime::host::ThreadRuntime;
use grind_runtime::{NullIo, Program, RunOptions, Value};
use std::error::Error;

const GUEST: &str = r#"(module
    (memory 1 1 shared)
    (func (export "double") (param i32) (result i32)
        (i32.mul (local.get 0) (i32.const 2))))"#;

#[expect(clippy::print_stdout, reason = "it shows the result")]
pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let program = Program::new(&wat::parse_str(GUEST)?)?;
    let runtime = ThreadRuntime::new(&program, RunOptions::default(), NullIo)?;
    let thread = runtime.spawn("double", [Value::I32(21)])?;
    println!("{:?}", thread.join()?);
    Ok(())
}
