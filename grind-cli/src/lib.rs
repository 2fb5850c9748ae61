//! What the commands `grind` and `cargo grind` do. The binaries call one function each.

#![forbid(unsafe_code)]

mod args;
mod cargo;
mod cli;
mod commands;
#[cfg(test)]
mod documented;
mod input;
#[cfg(test)]
mod options;
mod output;
mod process;
mod settings;

use clap::CommandFactory as _;
use cli::{Cli, Command};
use commands::{analyze, baseline, check, config, doctor, manual, replay, report, run, trace};
use output::{error, say};
use process::{aborts, signals};
use settings::keys::{Keys, SUBCOMMANDS};
use std::env;
use std::process::ExitCode;

/// `grind`, with the arguments of the process.
#[must_use]
pub fn grind() -> ExitCode {
    guarded(|| {
        let args = env::args_os().collect();
        let keys = Keys::of(&Cli::command());
        let manifest = |_: &Cli| settings::file::manifest_here(&keys);
        let cli = settings::parse(&keys, args, SUBCOMMANDS, manifest)?;
        dispatch(cli, &keys)
    })
}

/// `cargo grind`, with the arguments of the process.
#[must_use]
pub fn cargo_grind() -> ExitCode {
    guarded(|| {
        let keys = Keys::of(&Cli::command());
        cargo::dispatch(cargo::parse(&keys, env::args_os().collect())?)
    })
}

/// Says what went wrong, and which exit code it is. After a signal, it is that of the signal.
fn guarded(work: impl FnOnce() -> anyhow::Result<u8>) -> ExitCode {
    aborts::install();
    signals::install();
    let code = match work() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // There is nowhere to report a failure to report.
            let _ = say::err(&format!("grind: error: {}\n", error::text(&error)));
            error::exit_code(&error).into()
        }
    };
    signals::came().map_or(code, |signal| signal.exit_code().into())
}

fn dispatch(cli: Cli, keys: &Keys) -> anyhow::Result<u8> {
    cli.color.write_global();
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Replay(args) => replay::replay(&args),
        Command::Analyze(args) => analyze::analyze(&args),
        Command::Trace(command) => trace::trace(&command),
        Command::Report(args) => report::report(&args),
        Command::Baseline(args) => baseline::baseline(&args),
        Command::Config(command) => config::config(&command, keys, &Cli::command()),
        Command::Doctor(args) => doctor::doctor(&args, keys),
        Command::Completions(args) => manual::completions(&args, Cli::command()),
        Command::Man(args) => manual::man(&args, all()),
    }
}

/// Both command lines.
fn all() -> [clap::Command; 2] {
    [Cli::command(), cargo::CargoCli::command()]
}
