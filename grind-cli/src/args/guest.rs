//! What runs, and how: what all commands share that run a module.

use super::config::ConfigArgs;
use super::decisive::{self, DECISIVE};
use super::policy::PolicyArgs;
use super::report::ReportArgs;
use super::values::{duration, size};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// How to run, whatever the schedule.
#[derive(Clone, Debug, Args)]
pub(crate) struct GuestFlags {
    // First, for every field takes its values out of what was given.
    #[command(flatten)]
    pub(crate) again: Again,
    /// Exported function to run [default: _start, else main]
    #[arg(long, group = DECISIVE, value_name = "FN")]
    pub(crate) invoke: Option<String>,
    /// With --invoke: run _start first
    #[arg(long, group = DECISIVE, requires = "invoke")]
    pub(crate) after_start: bool,
    /// When the main thread returns, let the others run to their ends, and not for a while only
    #[arg(long, group = DECISIVE)]
    pub(crate) wait_for_threads: bool,
    /// What the guest sees as its own name [default: the module's]
    #[arg(long, group = DECISIVE, value_name = "NAME")]
    pub(crate) argv0: Option<OsString>,
    /// Give the guest an environment variable; without a value, the host's
    #[arg(long, group = DECISIVE, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Let the guest use a directory, under another name if one is given; repeatable
    #[arg(long, group = DECISIVE, value_name = "HOST[::GUEST]")]
    pub(crate) dir: Vec<String>,
    /// End the run after this much real time (`30s`, `5m`; a bare number is seconds)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// End the run after about this many wasm instructions
    #[arg(long, group = DECISIVE, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_steps: Option<u64>,
    /// Threads alive at once, at most
    #[arg(long, group = DECISIVE, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_threads: u32,
    /// Guest memory, at most (`512MiB`)
    #[arg(long, group = DECISIVE, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub(crate) max_memory: u64,
    /// Guest memory at the beginning, if that is more than the module says
    #[arg(long, group = DECISIVE, value_name = "SIZE", value_parser = size)]
    pub(crate) initial_memory: Option<u64>,
    /// Do not look for races; what goes wrong with locks and threads, and traps, are still reported
    #[arg(long)]
    pub(crate) no_detect: bool,
    /// End the run at the first finding
    #[arg(long)]
    pub(crate) halt_on_error: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// After the report, print the lines that would suppress its findings
    #[arg(long)]
    pub(crate) gen_suppressions: bool,
    /// Fail if a suppression hid nothing
    #[arg(long)]
    pub(crate) deny_unused_suppressions: bool,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// The decisive options as they were given, in words.
#[derive(Clone, Debug)]
pub(crate) struct Again(pub(crate) Vec<OsString>);

impl FromArgMatches for Again {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Again, clap::Error> {
        let command = GuestFlags::augment_args(Command::new("guest"));
        Ok(Again(decisive::words(command, matches)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Again::from_arg_matches(matches)?;
        Ok(())
    }
}

/// It has no options of its own.
impl Args for Again {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct GuestCommand {
    /// The module, in the binary format or as text, and arguments of the guest
    ///
    /// Whatever follows the module is the guest's, options included. A `--` right after the module is left out, as `cargo grind` does.
    #[arg(value_names = ["APP.wasm", "ARGS"], required = true, num_args = 1.., trailing_var_arg = true)]
    pub(crate) command: Vec<OsString>,
}

impl GuestCommand {
    /// The module.
    pub(crate) fn module(&self) -> &Path {
        Path::new(&self.command[0])
    }

    /// Arguments of the guest, without its name, and without a `--` that says where they begin.
    pub(crate) fn args(&self) -> &[OsString] {
        match &self.command[1..] {
            [first, rest @ ..] if first == "--" => rest,
            all => all,
        }
    }
}
