//! The shortest host: a memory, a thread of a module over it, its result.
//!
//! ```console
//! $ cargo run -p grind-runtime --example thread_runtime_basic
//! [I32(42)]
//! ```

use grind_runtime::Value;
use grind_runtime::host::ThreadRuntime;
use std::error::Error;

const GUEST: &str = r#"(module
    (import "env" "memory" (memory 1 1 shared))
    (func (export "double") (param i32) (result i32)
        (i32.mul (local.get 0) (i32.const 2))))"#;

#[expect(clippy::print_stdout, reason = "it shows the result")]
pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let runtime = ThreadRuntime::new(1)?;
    let thread = runtime.spawn_wat(GUEST, "double", [Value::I32(21)])?;
    println!("{:?}", thread.join()?);
    Ok(())
}
