//! The command line.

use crate::analyze::AnalyzeArgs;
use crate::config::{ConfigArgs, ConfigCommand, ConfigFile};
use crate::manual::{CompletionsArgs, ManArgs};
use crate::policy_args::PolicyArgs;
use crate::recording::TraceArgs;
use crate::replay::ReplayArgs;
use crate::report_args::ReportArgs;

use crate::trace::TraceCommand;
use anstream::ColorChoice;
use clap::{Args, Parser, Subcommand, ValueEnum};
use grind_runtime::explore::SeedRange;
use grind_runtime::host::ExitCode;
use grind_runtime::model::Strategy;
use std::ffi::OsString;
use std::num::NonZeroUsize;
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
    /// Run a trace again, and compare
    #[command(after_help = crate::replay::EXAMPLES)]
    Replay(ReplayArgs),
    /// Predict from a trace what other schedules would have shown
    #[command(after_help = crate::analyze::EXAMPLES)]
    Analyze(AnalyzeArgs),
    /// Look at traces, and convert them
    #[command(subcommand, after_help = crate::trace::EXAMPLES)]
    Trace(TraceCommand),
    /// Convert a stored report
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ConvertArgs),
    /// Keep account of findings that were there before
    #[command(after_help = BASELINE_EXAMPLES)]
    Baseline(BaselineArgs),
    /// Options that are set in grind.toml and the environment
    #[command(subcommand, after_help = CONFIG_EXAMPLES)]
    Config(ConfigCommand),
    /// Say what a module is, and whether grind can run it
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Print what makes a shell complete command lines of grind
    #[command(after_help = crate::manual::COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write the manual pages of grind and cargo grind
    #[command(after_help = crate::manual::MAN_EXAMPLES)]
    Man(ManArgs),
}

const RUN_EXAMPLES: &str = "\
Examples:
  grind run app.wasm                       look for races under one schedule
  grind run --seed 7 app.wasm              under another one
  grind run --seeds 0..100 app.wasm        under a hundred, on all cores
  grind run --trace app.wasm --threads 4  record the run, give the guest arguments
  grind run --report json=r.json app.wasm  keep the report for later
  grind run --report sarif=r.sarif --report github=- app.wasm  in CI
  grind run --dir data::/data app.wasm     let the guest use the files in ./data as /data
  grind run --no-detect app.wasm           only run it
  grind run app.wasm -- --skip slow        options of the guest; the -- may be left out

The guest's standard output stays as it is; reports go to standard error. Ctrl-C ends the run, and reports what was found until
then; a second one kills.";

const REPORT_EXAMPLES: &str = "\
Examples:
  grind run --report json=r.json app.wasm         keep a report
  grind report r.json                             read it
  grind report r.json --report sarif=r.sarif      convert it
  grind report r.json --format markdown --strip-prefix /build/app";

const BASELINE_EXAMPLES: &str = "\
Examples:
  grind run --report json=r.json app.wasm        keep a report
  grind baseline update baseline.json r.json     its findings are known from now on
  grind run --baseline baseline.json app.wasm    fail only on new ones";

pub(crate) const CONFIG_EXAMPLES: &str = "\
Examples:
  grind config show                           each option, its value, and where that comes from
  GRIND_SEEDS=0..20 grind config show         with one set in the environment
  GRIND_ANALYZE_TIME=60s grind analyze app.grind  the options of the other subcommands, too";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  grind doctor app.wasm    what is in it, and what is missing for a good report";

/// How to run: all but what.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunFlags {
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
    #[arg(long, value_name = "NAME", default_value = "random")]
    pub(crate) scheduler: SchedulerName,
    #[command(flatten)]
    pub(crate) trace: TraceArgs,
    /// Exported function to run [default: _start, else main]
    #[arg(long, value_name = "FN")]
    pub(crate) invoke: Option<String>,
    /// With --invoke: run _start first
    #[arg(long, requires = "invoke")]
    pub(crate) after_start: bool,
    /// When the main thread returns, let the others run to their ends, and not for a while only
    #[arg(long)]
    pub(crate) wait_for_threads: bool,
    /// Give the guest an environment variable; without a value, the host's
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// Let the guest use a directory, under another name if one is given; repeatable
    #[arg(long, value_name = "HOST[::GUEST]")]
    pub(crate) dir: Vec<String>,
    /// End the run after this much real time (`30s`, `5m`; a bare number is seconds)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// End the run after about this many wasm instructions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_steps: Option<u64>,
    /// Threads alive at once, at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_threads: u32,
    /// Guest memory, at most (`512MiB`)
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub(crate) max_memory: u64,
    /// Guest memory at the beginning, if that is more than the module says
    #[arg(long, value_name = "SIZE", value_parser = size)]
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

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    /// A report of the kind json; `-` for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    #[command(subcommand)]
    pub(crate) command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Make the baseline what these results show: adds what is new, removes what is gone
    #[command(after_help = BASELINE_EXAMPLES)]
    Update {
        /// The baseline; it is created if there is none
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Reports of the kind json
        #[arg(value_name = "RESULT.json", required = true)]
        results: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// The module, in the binary format or as text
    #[arg(value_name = "APP.wasm")]
    pub(crate) module: PathBuf,
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

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string())?,
    };
    if duration.is_zero() {
        return Err("a run needs some time".to_owned());
    }
    Ok(duration)
}

pub(crate) fn size(text: &str) -> Result<u64, String> {
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
        assert_eq!(run.flags.seed, 0);
        assert_eq!(run.module(), Path::new("a.wasm"));
        assert_eq!(run.guest_args(), ["--seed", "9", "-x"]);
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
            assert_eq!(run.guest_args(), guest);
        }
    }
}
