//! `grind`: race detector, tracer and deterministic replayer for multi-threaded WebAssembly.

#![forbid(unsafe_code)]

mod cli;
mod doctor;
mod error;
mod io;
mod module;
mod run;
mod watch;

use clap::Parser;
use cli::{Cli, Command};
use grind_runtime::host::ExitCode;
use std::io::Write;
use std::panic;
use std::process;

fn main() -> process::ExitCode {
    let cli = Cli::parse();
    panic::set_hook(Box::new(|info| {
        // There is nowhere to report a failure to report.
        let _ = writeln!(
            anstream::stderr(),
            "grind: internal error: {info}\nThis is a defect of grind, not of the guest. Please report it with the module."
        );
    }));
    match panic::catch_unwind(|| dispatch(cli)) {
        Ok(Ok(code)) => process::ExitCode::from(code),
        Ok(Err(error)) => {
            let _ = writeln!(anstream::stderr(), "grind: error: {error:#}");
            error::exit_code(&error).into()
        }
        Err(_) => ExitCode::Failure.into(),
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<u8> {
    cli.color.write_global();
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Doctor(args) => doctor::doctor(&args),
    }
}
