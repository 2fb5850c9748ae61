//! The command line.

use crate::args::check::CheckArgs;
use crate::args::run::RunArgs;
use crate::args::values::Color;
use crate::commands::analyze::{self, AnalyzeArgs};
use crate::commands::baseline::{self, BaselineArgs};
use crate::commands::config::{self, ConfigCommand};
use crate::commands::doctor::{self, DoctorArgs};
use crate::commands::manual::{self, CompletionsArgs, ManArgs};
use crate::commands::replay::{self, ReplayArgs};
use crate::commands::report::{self, ConvertArgs};
use crate::commands::trace::{self, TraceCommand};
use crate::commands::{check, run};
use clap::{Parser, Subcommand};
use grind_runtime::session::ExitCode;
use std::sync::LazyLock;

/// Race detector, tracer and deterministic replayer for multi-threaded WebAssembly
#[derive(Debug, Parser)]
#[command(name = "grind", version, after_help = EXIT_CODES.as_str(), disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The published exit codes, as the end of `--help`.
static EXIT_CODES: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::from("Exit codes:\n    0  no findings (or the guest's own exit code)\n");
    for code in ExitCode::ALL {
        let meaning = match code {
            // The library knows the limits, and not the options that set them.
            ExitCode::Timeout => "the run was ended by --timeout or --max-steps",
            code => code.meaning(),
        };
        text.push_str(&format!("  {:3}  {meaning}\n", code.code()));
    }
    text
});

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a module under the detectors
    #[command(after_help = run::EXAMPLES)]
    Run(Box<RunArgs>),
    /// Run a module under many schedules, until one shows a finding
    #[command(after_help = check::EXAMPLES)]
    Check(Box<CheckArgs>),
    /// Run a trace again, and compare
    #[command(after_help = replay::EXAMPLES)]
    Replay(ReplayArgs),
    /// Predict from a trace what other schedules would have shown
    #[command(after_help = analyze::EXAMPLES)]
    Analyze(AnalyzeArgs),
    /// Look at traces, and convert them
    #[command(subcommand, after_help = trace::EXAMPLES)]
    Trace(TraceCommand),
    /// Convert a stored report
    #[command(after_help = report::EXAMPLES)]
    Report(ConvertArgs),
    /// Keep account of findings that were there before
    #[command(after_help = baseline::EXAMPLES)]
    Baseline(BaselineArgs),
    /// Options that are set in grind.toml and the environment
    #[command(subcommand, after_help = config::EXAMPLES)]
    Config(ConfigCommand),
    /// Say what a module is, and whether grind can run it
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(DoctorArgs),
    /// Print what makes a shell complete command lines of grind
    #[command(after_help = manual::COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write the manual pages of grind and cargo grind
    #[command(after_help = manual::MAN_EXAMPLES)]
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::path::Path;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_the_module_is_the_guests() {
        let cli = Cli::parse_from(["grind", "run", "--trace", "a.wasm", "--seed", "9", "-x"]);
        let Command::Run(run) = cli.command else {
            panic!("not a run")
        };
        assert_eq!(run.flags.seed, 0);
        assert_eq!(run.command.module(), Path::new("a.wasm"));
        assert_eq!(run.command.args(), ["--seed", "9", "-x"]);
        for (words, guest) in [
            (&["a.wasm", "--", "--skip", "x"][..], &["--skip", "x"][..]),
            (&["--", "a.wasm", "--", "x"], &["x"]),
            (&["a.wasm", "--", "--", "x"], &["--", "x"]),
            (&["a.wasm", "x", "--", "y"], &["x", "--", "y"]),
            (&["a.wasm"], &[]),
        ] {
            let words = ["grind", "run"].iter().chain(words);
            let Command::Run(run) = Cli::parse_from(words).command else {
                panic!("not a run")
            };
            assert_eq!(run.command.args(), guest);
        }
    }
}
