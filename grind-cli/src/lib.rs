//! What the commands `grind` and `cargo grind` do. The binaries call one function each.

#![forbid(unsafe_code)]

mod aborts;
mod analyze;
mod baseline;
mod bound;
mod cargo;
mod cli;
mod config;
mod doctor;
#[cfg(test)]
mod documented;
mod error;
mod io;
mod manual;
mod memory;
mod module;
mod pace;
mod policy_args;
mod quote;
mod recording;
mod replay;
mod report;
mod report_args;
mod run;
mod say;
mod seed_io;
mod seeds;
mod set_up;
mod settings;
mod signals;
mod text;
mod trace;
mod trace_file;
mod trust;
mod watch;
mod whole_file;

use cli::{Cli, Command};
use std::env;
use std::process;

/// `grind`, with the arguments of the process.
#[must_use]
pub fn grind() -> process::ExitCode {
    guarded(|| {
        let args = env::args_os().collect();
        let manifest = |_: &Cli| config::manifest_here();
        dispatch(settings::parse(args, settings::SUBCOMMANDS, manifest)?)
    })
}

/// `cargo grind`, with the arguments of the process.
#[must_use]
pub fn cargo_grind() -> process::ExitCode {
    guarded(|| cargo::dispatch(cargo::parse(env::args_os().collect())?))
}

/// Says what went wrong, and which exit code it is. After a signal, it is that of the signal.
fn guarded(work: impl FnOnce() -> anyhow::Result<u8>) -> process::ExitCode {
    aborts::install();
    signals::install();
    let code = match work() {
        Ok(code) => process::ExitCode::from(code),
        Err(error) => {
            // There is nowhere to report a failure to report.
            let _ = say::err(&format!("grind: error: {}\n", error::text(&error)));
            error::exit_code(&error).into()
        }
    };
    signals::came().map_or(code, |signal| signal.exit_code().into())
}

fn dispatch(cli: Cli) -> anyhow::Result<u8> {
    cli.color.write_global();
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Analyze(args) => analyze::analyze(&args),
        Command::Trace(command) => trace::trace(&command),
        Command::Report(args) => report::report(&args),
        Command::Baseline(args) => baseline::baseline(&args),
        Command::Config(command) => config::config(&command),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    }
}
