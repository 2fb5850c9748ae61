//! Arguments, environment and standard error.
//@ args: --threads 3 rest
//@ stdout: --threads 3 rest
//@ stdout: 3
//@ stdout: NotPresent

use std::env::VarError;

use test_programs::option;
use threadlink::process;

fn main() {
    let args: Vec<String> = process::args().skip(1).collect();
    threadlink::println!("{}", args.join(" "));
    threadlink::println!("{}", option("--threads", 1));
    match process::var("THREADLINK_SURELY_NOT_SET") {
        Err(VarError::NotPresent) => threadlink::println!("NotPresent"),
        other => threadlink::println!("{}", other.is_ok()),
    }
    threadlink::eprintln!("to standard error");
}

threadlink::main!(main);
