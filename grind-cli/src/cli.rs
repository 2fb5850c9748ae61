//! The command line.

use anstream::ColorChoice;
use clap::{Args, Parser, Subcommand, ValueEnum};
use grind_runtime::host::ExitCode;
use grind_runtime::schedule::Strategy;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

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
        text.push_str(&format!("  {:3}  {}\n", code.code(), code.meaning()));
    }
    text
});

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a module under the detectors
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArgs),
    /// Say what a module is, and whether grind can run it
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
}

const RUN_EXAMPLES: &str = "\
Examples:
  grind run app.wasm                       look for races under one schedule
  grind run --seed 7 app.wasm              under another one
  grind run --trace app.wasm --threads 4  record the run, give the guest arguments
  grind run --format json app.wasm 2>r.json  the report for a program
  grind run --no-detect app.wasm           only run it

The guest's standard output stays as it is; reports go to standard error.";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  grind doctor app.wasm    what is in it, and what is missing for a good report";

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Seed of the schedule and of the guest's randomness
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// How the schedule is made
    #[arg(long, value_name = "NAME", default_value = "random")]
    pub(crate) scheduler: SchedulerName,
    /// Record what a later run needs to be the same [default path: the module's, with .grind]
    #[arg(long, value_name = "PATH", num_args = 0..=1, require_equals = true)]
    pub(crate) trace: Option<Option<PathBuf>>,
    /// Exported function to run [default: _start, else main]
    #[arg(long, value_name = "FN")]
    pub(crate) invoke: Option<String>,
    /// Give the guest an environment variable; without a value, the host's
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// End the run after this much real time (`30s`, `5m`; a bare number is seconds)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// End the run after about this many wasm instructions
    #[arg(long, value_name = "N")]
    pub(crate) max_steps: Option<u64>,
    /// Threads alive at once, at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_threads: u32,
    /// Guest memory, at most (`512MiB`)
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub(crate) max_memory: u64,
    /// Do not look for races; deadlocks and traps are still reported
    #[arg(long)]
    pub(crate) no_detect: bool,
    /// End the run at the first finding
    #[arg(long)]
    pub(crate) halt_on_error: bool,
    /// How to write the report
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: Format,
    /// Directory to look for sources in, besides the current one and the module's
    #[arg(long, value_name = "DIR")]
    pub(crate) source: Vec<PathBuf>,
    /// Only the findings: no summary, no progress
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// All stack frames, and a summary even of a clean run
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// The module, in the binary format or as text, and arguments of the guest
    ///
    /// Whatever follows the module is the guest's, options included.
    #[arg(value_names = ["APP.wasm", "ARGS"], required = true, num_args = 1.., trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl RunArgs {
    /// The module.
    pub(crate) fn module(&self) -> &Path {
        Path::new(&self.command[0])
    }

    /// Arguments of the guest, without its name.
    pub(crate) fn guest_args(&self) -> &[OsString] {
        &self.command[1..]
    }
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The module, in the binary format or as text
    #[arg(value_name = "APP.wasm")]
    pub(crate) module: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a person
    Human,
    /// For a program; the schema is documented
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchedulerName {
    /// Threads take turns
    RoundRobin,
    /// Random preemption
    Random,
}

impl From<SchedulerName> for Strategy {
    fn from(name: SchedulerName) -> Strategy {
        match name {
            SchedulerName::RoundRobin => Strategy::RoundRobin,
            SchedulerName::Random => Strategy::Random,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Even in a pipe
    Always,
    /// Not at all
    Never,
}

impl Color {
    /// Makes it the choice of every stream of this process.
    pub(crate) fn write_global(self) {
        match self {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
        .write_global();
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string())?,
    };
    if duration.is_zero() {
        return Err("a run needs some time".to_owned());
    }
    Ok(duration)
}

fn size(text: &str) -> Result<u64, String> {
    text.parse::<bytesize::ByteSize>().map(|size| size.as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_and_sizes_read_as_people_write_them() {
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert!(duration("0").is_err() && duration("soon").is_err());
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("4096"), Ok(4096));
        assert!(size("much").is_err());
    }

    #[test]
    fn what_follows_the_module_is_the_guests() {
        let cli = Cli::parse_from(["grind", "run", "--trace", "a.wasm", "--seed", "9", "-x"]);
        let Command::Run(run) = cli.command else {
            panic!("not a run")
        };
        assert_eq!(run.trace, Some(None));
        assert_eq!(run.seed, 0);
        assert_eq!(run.module(), Path::new("a.wasm"));
        assert_eq!(run.guest_args(), ["--seed", "9", "-x"]);
    }
}
