//! How to run a program: the options that `grind run` and `cargo grind` share.

use super::config::ConfigArgs;
use super::decisive::{self, DECISIVE};
use super::policy::PolicyArgs;
use super::report::ReportArgs;
use super::trace::TraceArgs;
use super::values::{Strategies, duration, size};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use grind_runtime::explore::SeedRange;
use grind_runtime::model::Strategy;
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to run: all but what.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunFlags {
    // First, for every field takes its values out of what was given.
    #[command(flatten)]
    pub(crate) again: Again,
    /// Seed of the schedule and of the guest's randomness
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(crate) seed: u64,
    /// Run under each of these seeds, on all cores, and merge what they show (`0..100`, `1..=8`)
    ///
    /// What the guest writes to its standard streams under the first seed is printed, of the others it is dropped. Its input is read
    /// once and given to every run.
    /// --timeout and --max-steps hold for each run.
    #[arg(long, value_name = "A..B", allow_hyphen_values = true, conflicts_with_all = ["seed", "trace", "trace_file", "embed_module"])]
    pub(crate) seeds: Option<SeedRange>,
    /// With --seeds: runs at the same time [default: one for each core; 1 with --dir, as they share its files]
    #[arg(long, value_name = "N", requires = "seeds")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// With --seeds: end at the first seed with a finding that makes the command fail
    #[arg(long, requires = "seeds")]
    pub(crate) fail_fast: bool,
    /// How the schedule is made
    #[arg(long, group = DECISIVE, value_name = "NAME[:N]", default_value = "random",
        value_parser = Strategies)]
    pub(crate) scheduler: Strategy,
    /// Run under the schedule in this file, instead of a strategy's
    #[arg(long, value_name = "PATH", conflicts_with_all = ["seed", "seeds", "scheduler"])]
    pub(crate) schedule: Option<PathBuf>,
    /// Write the schedule of the run to a file, for --schedule
    #[arg(long, value_name = "PATH", conflicts_with = "seeds")]
    pub(crate) save_schedule: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trace: TraceArgs,
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
        let command = RunFlags::augment_args(Command::new("run"));
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

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) flags: RunFlags,
    /// The module, in the binary format or as text, and arguments of the guest
    ///
    /// Whatever follows the module is the guest's, options included. A `--` right after the module is left out, as `cargo grind` does.
    #[arg(value_names = ["APP.wasm", "ARGS"], required = true, num_args = 1.., trailing_var_arg = true)]
    pub(crate) command: Vec<OsString>,
}

impl RunArgs {
    /// The module.
    pub(crate) fn module(&self) -> &Path {
        Path::new(&self.command[0])
    }

    /// Arguments of the guest, without its name, and without a `--` that says where they begin.
    pub(crate) fn guest_args(&self) -> &[OsString] {
        match &self.command[1..] {
            [first, rest @ ..] if first == "--" => rest,
            all => all,
        }
    }
}
