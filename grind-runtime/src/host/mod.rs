//! Running a program under the detectors: the embedding API.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use grind_runtime::host::{self, RunOptions};
//! use grind_runtime::machine::BufferIo;
//! use grind_runtime::program::Program;
//!
//! let wasm = wat::parse_str(r#"(module (func (export "_start")))"#)?;
//! let program = Program::new(&wasm)?;
//! let outcome = host::run(&program, RunOptions::default(), BufferIo::default())?;
//! assert!(outcome.analysis.diagnoses.is_empty());
//! # Ok(())
//! # }
//! ```

mod exit_code;
mod input;

pub use exit_code::ExitCode;

use crate::analysis::{AnalysisOptions, AnalysisOutcome, LiveAnalysis};
use crate::machine::{
    self, Control, Ending, HostIo, LimitReached, Limits, MachineConfig, MachineError, RunResult,
    RunStats,
};
use crate::program::Program;
use crate::program::symbols::Symbolizer;
use crate::report::{Finding, GuestExit, Report};
use crate::schedule::Strategy;
use input::{Inputs, Player, Recorder};
use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How to run a program.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Arguments, the program's name first.
    pub args: Vec<Vec<u8>>,
    /// Environment, each `NAME=value`.
    pub env: Vec<Vec<u8>>,
    /// Seed of the schedule and of the guest's randomness.
    pub seed: u64,
    /// How the schedule is made.
    pub strategy: Strategy,
    /// Exported function to run; by default `_start`, else `main`.
    pub entry: Option<String>,
    /// Bounds of the run.
    pub limits: Limits,
    /// What to look for, and the bounds of looking.
    pub analysis: AnalysisOptions,
    /// The run seen from outside.
    pub control: Arc<Control>,
}

/// What came of a run.
pub struct Outcome<Io> {
    /// How it ended.
    pub ending: Ending,
    /// Findings, threads, traps.
    pub analysis: AnalysisOutcome,
    /// Bounds that the guest ran into.
    pub limits_reached: BTreeSet<LimitReached>,
    /// Counts of the (first) run.
    pub stats: RunStats,
    /// The streams that were given.
    pub io: Io,
    /// What else the reader should know.
    pub warnings: Vec<String>,
}

/// Runs a program, and, if it raced, runs it again with the same schedule and inputs to learn the stacks of
/// the accesses that came first. Output goes out once.
///
/// # Errors
/// [`MachineError`] if the program cannot be started.
pub fn run<Io: HostIo>(
    program: &Program,
    options: RunOptions,
    io: Io,
) -> Result<Outcome<Io>, MachineError> {
    let analysis = LiveAnalysis::new(Arc::clone(program.sites()), options.analysis.clone());
    let recorder = Recorder {
        io: Box::new(io),
        inputs: Inputs::default(),
    };
    let first = pass(
        program,
        &options,
        analysis,
        Box::new(recorder),
        Arc::clone(&options.control),
    )?;
    let RunResult {
        ending,
        limits_reached,
        stats,
        sink,
        io,
        traps: _,
    } = first;
    let mut analysis = *downcast::<LiveAnalysis>(sink);
    let Recorder { io, inputs } = *downcast::<Recorder>(io);
    let mut warnings = Vec::new();
    if analysis.needs_second_pass() {
        if inputs.complete() {
            let again = pass(
                program,
                &options,
                analysis.into_second_pass(),
                Box::new(Player(inputs)),
                // A time-out ended the first pass; the second ends by itself at the last access it needs.
                Arc::default(),
            )?;
            analysis = *downcast::<LiveAnalysis>(again.sink);
        } else {
            warnings.push(format!(
                "the guest read more than {} MiB of input, so that the run could not be repeated: \
                 earlier accesses are shown without their stacks",
                input::KEPT >> 20
            ));
        }
    }
    Ok(Outcome {
        ending,
        analysis: analysis.finish(),
        limits_reached,
        stats,
        io: *downcast::<Io>(io),
        warnings,
    })
}

fn pass(
    program: &Program,
    options: &RunOptions,
    analysis: LiveAnalysis,
    io: Box<dyn HostIo>,
    control: Arc<Control>,
) -> Result<RunResult, MachineError> {
    machine::run(
        program,
        MachineConfig {
            scheduler: options.strategy.scheduler(options.seed),
            sink: Box::new(analysis),
            io,
            args: options.args.clone(),
            env: options.env.clone(),
            limits: options.limits,
            entry: options.entry.clone(),
            control,
        },
    )
}

fn downcast<T: Any>(given: Box<dyn Any>) -> Box<T> {
    given
        .downcast()
        .expect("a run gives back what it was given")
}

impl<Io> Outcome<Io> {
    /// The code a process that ran this should exit with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if !self.analysis.diagnoses.is_empty() {
            return ExitCode::Findings.code();
        }
        if !self.analysis.traps.is_empty() {
            return ExitCode::Trap.code();
        }
        match self.ending {
            Ending::Returned | Ending::Halted => 0,
            // As a process: the low byte is what the parent sees.
            Ending::Exited(code) => code as u8,
            Ending::Trapped => ExitCode::Trap.code(),
            Ending::Deadlock => ExitCode::Findings.code(),
            Ending::TimedOut | Ending::OutOfSteps => ExitCode::Timeout.code(),
        }
    }

    /// The run as a report. The caller knows where the module came from and how to run it again.
    #[must_use]
    pub fn report(
        &self,
        program: &Program,
        symbolizer: &Symbolizer,
        options: &RunOptions,
    ) -> Report {
        let sites = program.sites();
        let mut report = Report {
            seed: Some(options.seed),
            scheduler: Some(options.strategy.name().to_owned()),
            exit: Some(self.guest_exit(program, symbolizer)),
            warnings: self.warnings.clone(),
            ..Report::default()
        };
        for diagnosed in &self.analysis.diagnoses {
            let threads = &self.analysis.threads;
            report.add(Finding::from_diagnosis(
                diagnosed, sites, symbolizer, threads,
            ));
        }
        let reached = self.limits_reached.iter().map(|limit| match limit {
            LimitReached::Threads => format!(
                "the guest wanted more than {} threads at once and was refused (--max-threads)",
                options.limits.threads
            ),
            LimitReached::Memory => format!(
                "the guest wanted more than {} MiB of memory and was refused (--max-memory)",
                options.limits.memory >> 20
            ),
            LimitReached::Steps => "the limit on steps was reached (--max-steps)".to_owned(),
        });
        report.limits.extend(reached);
        report
            .limits
            .extend(self.analysis.limits.iter().map(ToString::to_string));
        if !report.findings.is_empty() {
            report.set_symbols(symbolizer);
        }
        report
    }

    fn guest_exit(&self, program: &Program, symbolizer: &Symbolizer) -> GuestExit {
        if let Some(trap) = self.analysis.traps.first() {
            let frames = |site: &_| symbolizer.frames(program.sites().get(*site));
            return GuestExit::Trapped {
                thread: trap.thread,
                name: (self.analysis.threads.iter())
                    .find(|thread| thread.id == trap.thread)
                    .and_then(|thread| thread.name.clone()),
                reason: trap.reason.clone(),
                stack: trap.stack.iter().flat_map(frames).collect(),
            };
        }
        match self.ending {
            Ending::Returned => GuestExit::Exited { code: 0 },
            Ending::Exited(code) => GuestExit::Exited { code },
            Ending::Deadlock => GuestExit::Deadlocked,
            Ending::Trapped | Ending::Halted => GuestExit::Stopped {
                reason: "the first finding".to_owned(),
            },
            Ending::TimedOut => GuestExit::Stopped {
                reason: "the time-out".to_owned(),
            },
            Ending::OutOfSteps => GuestExit::Stopped {
                reason: "the limit on steps".to_owned(),
            },
        }
    }
}
