//! Patterns of threads, driven by a host: counters, locks, barriers, rings. Each is checked for its result, and by the detectors.
//!
//! ```console
//! $ cargo run -p grind-runtime --example thread_patterns -- --mode all --threads 4 --iters 1000
//! ```
//!
//! A pattern with a wrong result or a finding makes it exit with 1.

mod patterns;

use clap::{Parser, ValueEnum};
use grind_runtime::report::human;
use grind_runtime::{RunOptions, Symbolizer};
use patterns::PATTERNS;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

/// Which patterns are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// All but the broken one.
    All,
    Counter,
    Mutex,
    Rwlock,
    Barrier,
    Semaphore,
    Condvar,
    Spsc,
    Mpmc,
    Reduce,
    /// A ring that says what is written before it is.
    BrokenSpsc,
}

/// Runs patterns of threads, and checks them.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Args {
    /// Which patterns.
    #[arg(long, value_enum, default_value = "all")]
    pub(crate) mode: Mode,
    /// Threads, of rings at least one on each side.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=900))]
    pub(crate) threads: u32,
    /// What each thread does so often.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) iters: u32,
    /// Slots of the rings; that with several producers has two at least.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) slots: u32,
    /// Looks at a word before a thread waits for it to change.
    #[arg(long, default_value_t = 1000)]
    pub(crate) spin: u32,
    /// Virtual nanoseconds for which it waits at a time.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) wait_ns: i64,
    /// Of the schedule.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// What came of a pattern: a line, and whether it is as it should be.
pub(crate) struct Ran {
    pub(crate) line: String,
    pub(crate) good: bool,
    /// What the detectors found, for humans.
    pub(crate) findings: Option<String>,
}

/// Runs what the arguments say.
pub(crate) fn run(args: &Args) -> Result<Vec<Ran>, Box<dyn Error>> {
    let program = patterns::program()?;
    let options = RunOptions::seeded(args.seed);
    let chosen = PATTERNS.iter().filter(|pattern| match args.mode {
        Mode::All => pattern.mode != Mode::BrokenSpsc,
        mode => pattern.mode == mode,
    });
    let mut all = Vec::new();
    for pattern in chosen {
        let (got, outcome) = pattern.run(&program, options.clone(), args)?;
        let expected = (pattern.expected)(args);
        let clean = outcome.analysis.diagnoses.is_empty();
        let name = pattern.name;
        let verdict = if clean { "clean" } else { "NOT CLEAN" };
        let line = match got == expected {
            true => format!("{name}: {got}, {verdict}"),
            false => format!("{name}: {got} and not {expected}, {verdict}"),
        };
        let findings = (!clean).then(|| {
            let symbolizer = Symbolizer::new(Arc::clone(program.original()));
            let report = outcome.report(&program, &symbolizer, &options);
            human::render(&report, &human::Options::default())
        });
        all.push(Ran {
            line,
            good: clean && got == expected,
            findings,
        });
    }
    Ok(all)
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it shows what came of the patterns"
)]
fn main() -> ExitCode {
    let all = match run(&Args::parse()) {
        Ok(all) => all,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    for one in &all {
        println!("{}", one.line);
        if let Some(findings) = &one.findings {
            print!("{findings}");
        }
    }
    match all.iter().all(|one| one.good) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
