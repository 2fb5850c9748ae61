//! Running a program under the detectors: the embedding API.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use grind_runtime::session::{RunOptions, self};
//! use grind_runtime::machine::BufferIo;
//! use grind_runtime::program::Program;
//!
//! let wasm = wat::parse_str(r#"(module (func (export "_start")))"#)?;
//! let program = Program::new(&wasm)?;
//! let outcome = session::run(&program, RunOptions::default(), BufferIo::default())?;
//! assert!(outcome.analysis.diagnoses.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! A run is a group of threads with a memory, thread ids, a clock and a scheduler of its own. Nothing is shared between
//! runs but the [`Program`], so that a host has as many isolated groups at once as it has threads to run them on.

mod confirm;
mod exit_code;
#[cfg(feature = "files")]
mod files;
mod input;
mod log;
mod memory_files;
mod observe;
mod pass;
mod plan_scheduler;
mod playback;
mod record;
mod replay;
mod reporting;
mod stepped;

pub use confirm::{ConfirmError, Confirmed, confirm};
pub use exit_code::ExitCode;
#[cfg(feature = "files")]
pub use files::{Files, Preopen};
pub use input::{Inputs, Player, Recorder};
pub use memory_files::{FileTree, MemoryFiles, TreeError, TreeLimits};
pub use observe::{Observation, Observe, Observer};
pub use playback::{Divergence, TraceInput};
pub use record::TraceOutput;
pub use replay::{ReplayError, ReplayOptions, Replayed, check, listen, replay};
pub use reporting::Reporting;
pub use stepped::{Step, SteppedReplay, SteppedRun};

use crate::detect::{AnalysisOptions, AnalysisOutcome, Diagnosed, Diagnosis, LiveAnalysis};
use crate::machine::{self, ActError, HostIo, Machine, MachineError, RunStats, ThreadError};
use crate::model::sites::SiteTable;
use crate::model::{Control, Decisions, Driven, Ending, LimitReached, Profile, RunSpec};
use crate::predict::translate::Observed;
use crate::program::Program;
use crate::program::embedder::Executor;
use crate::program::symbols::Symbolizer;
use crate::report::finding::summary::{GuestExit, Report};
use crate::schedule::Profiler;
use crate::schedule::decisions::Replayed as Repeated;
use crate::trace::{Footer, TraceWriter};
use derive_setters::Setters;
use log::RunLog;
use pass::{Begun, Pass, Passed};
pub(crate) use record::Recording;
use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How to run a program.
#[derive(Clone, Debug, Default, Setters)]
#[non_exhaustive]
pub struct RunOptions {
    /// The run.
    pub spec: RunSpec,
    /// The directories of [`RunSpec::preopens`], in the same order, and nothing outside of them. See [`RunOptions::directory`]. None, if the
    /// streams [have some](HostIo::preopens).
    #[cfg(feature = "files")]
    pub directories: Vec<Preopen>,
    /// What to look for, and the bounds of looking.
    pub analysis: AnalysisOptions,
    /// The run seen from outside.
    pub control: Arc<Control>,
    /// The engine by name, or the one that is usual. What happens in a run does not depend on it.
    pub engine: Option<String>,
    /// Fuel given to a thread at a time, the [usual one](machine::usual_fuel) if nothing else is said.
    pub fuel: Option<u64>,
    /// Where the futures of asynchronous functions of the embedder run; they are for runs of a [`ThreadRuntime`](crate::host::ThreadRuntime)
    /// or a [`Namespace`](crate::host::Namespace).
    pub executor: Option<Arc<dyn Executor>>,
    /// Take the [`Profile`] of the run.
    pub profile: bool,
}

impl RunOptions {
    /// A run under the usual strategy with this seed, and nothing else said.
    #[must_use]
    pub fn seeded(seed: u64) -> RunOptions {
        RunSpec::seeded(seed).into()
    }

    /// Gives the guest a directory.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn directory(mut self, directory: Preopen) -> RunOptions {
        (self.spec.preopens).push(directory.guest().as_bytes().to_vec());
        self.directories.push(directory);
        self
    }
}

impl From<RunSpec> for RunOptions {
    fn from(spec: RunSpec) -> RunOptions {
        RunOptions {
            spec,
            ..RunOptions::default()
        }
    }
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
    /// What was decided in it, as far as it is kept: up to 64 MiB, and not of a trace that was only read. With the same answers of the host it
    /// is the same run.
    pub decisions: Option<Arc<Decisions>>,
    /// What it showed of the operations on shared memory, if that was [asked for](RunOptions::profile).
    pub profile: Option<Profile>,
    /// What else the reader should know.
    pub warnings: Vec<String>,
}

/// Runs a program, and, if it raced, runs it again with the same schedule and inputs to learn the stacks of
/// the accesses that came first. The second run gets the answers that the host gave to the first, and does not
/// reach it: output goes out once, files are written once.
///
/// # Errors
/// [`MachineError`] if the program cannot be started: among others, if the directories are not those that the run names.
pub fn run<Io: HostIo>(
    program: &Program,
    options: RunOptions,
    io: Io,
) -> Result<Outcome<Io>, MachineError> {
    let nobody = Driven::ByNobody;
    first_and_second(program, options, io, None, nobody, |_| Ok(()))
}

/// Runs a program that is driven: `drive` is given the machine, and acts in the run where the machine comes back to it. When it
/// returns, the driver has [ended](Machine::end), and what is left runs to its end. What it did is in the log of the run: a second run
/// repeats it, and does not ask.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grind_runtime::machine::{NullIo, Pause};
/// use grind_runtime::model::Driven;
/// use grind_runtime::program::Program;
/// use grind_runtime::session::{self, DriveError, RunOptions};
///
/// let wasm = wat::parse_str(
///     r#"(module (memory 1 1 shared)
///         (func (export "count") (i32.store (i32.const 0)
///             (i32.add (i32.load (i32.const 0)) (i32.const 1)))))"#,
/// )?;
/// let program = Program::new(&wasm)?;
/// let outcome = session::drive(&program, RunOptions::seeded(1), NullIo, Driven::AsMainThread, |machine| {
///     let threads = [machine.spawn(["count"], [])?, machine.spawn(["count"], [])?];
///     while let Pause::ThreadEnded(_) = machine.run()? {}
///     for thread in threads {
///         machine.join(thread)??;
///     }
///     Ok::<_, DriveError>(())
/// })?;
/// assert!(!outcome.analysis.diagnoses.is_empty());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`MachineError`] if the program cannot be started, and what `drive` returns.
pub fn drive<Io: HostIo, E: From<MachineError>>(
    program: &Program,
    options: RunOptions,
    io: Io,
    driven: Driven,
    drive: impl FnOnce(&mut Machine) -> Result<(), E>,
) -> Result<Outcome<Io>, E> {
    first_and_second(program, options, io, None, driven, drive)
}

/// The same, and writes what happens to a trace, as [`record`].
///
/// # Errors
/// See [`drive`].
pub fn drive_and_record<Io: HostIo, E: From<MachineError>>(
    program: &Program,
    options: RunOptions,
    io: Io,
    driven: Driven,
    trace: TraceWriter<TraceOutput>,
    drive: impl FnOnce(&mut Machine) -> Result<(), E>,
) -> Result<(Outcome<Io>, TraceWriter<TraceOutput>), E> {
    let recording = Recording::new(trace);
    let outcome = first_and_second(program, options, io, Some(&recording), driven, drive)?;
    let writer = (recording.into_writer()).expect("nothing of a run outlives it");
    Ok((outcome, writer))
}

/// Why a run could not be driven: a type for the closures of [`drive`] that need no other.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriveError {
    /// The run failed.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// An act was refused.
    #[error(transparent)]
    Act(#[from] ActError),
    /// A thread has no results.
    #[error(transparent)]
    Thread(#[from] ThreadError),
}

/// The same, and writes what happens to a trace. The trace has no footer yet when it comes back.
///
/// # Errors
/// See [`run`].
pub fn record<Io: HostIo>(
    program: &Program,
    options: RunOptions,
    io: Io,
    trace: TraceWriter<TraceOutput>,
) -> Result<(Outcome<Io>, TraceWriter<TraceOutput>), MachineError> {
    let recording = Recording::new(trace);
    let nobody = Driven::ByNobody;
    let outcome = first_and_second(program, options, io, Some(&recording), nobody, |_| {
        Ok::<_, MachineError>(())
    })?;
    let writer = (recording.into_writer()).expect("nothing of a run outlives it");
    Ok((outcome, writer))
}

/// A run as an object, driven or not: what [`drive`] lends, who has this owns.
pub(crate) struct DrivenRun {
    program: Program,
    options: RunOptions,
    driven: Driven,
    first: Begun,
}

impl DrivenRun {
    pub(crate) fn new(
        program: &Program,
        options: RunOptions,
        io: Box<dyn HostIo>,
        recording: Option<&Recording>,
        driven: Driven,
    ) -> Result<DrivenRun, MachineError> {
        Ok(DrivenRun {
            first: first_pass(program, &options, io, recording, driven)?,
            program: program.clone(),
            options,
            driven,
        })
    }

    pub(crate) fn machine(&mut self) -> &mut Machine {
        self.first.machine()
    }

    fn driver_ends(&mut self) {
        if self.driven != Driven::ByNobody {
            // It may have said so.
            let _ = self.machine().end();
        }
    }

    /// Lets what is left run to its end, and makes the second pass. `Io` is what it was given.
    pub(crate) fn finish<Io: HostIo>(mut self) -> Result<Outcome<Io>, MachineError> {
        self.driver_ends();
        let first = self.first.complete()?;
        match second_pass(&self.program, &self.options, first, self.driven)? {
            Next::Done(outcome) => Ok(outcome),
            Next::Again(came, second) => Ok(came.with(second.complete()?)),
        }
    }

    /// The same in steps.
    pub(crate) fn finish_in_steps<Io: HostIo>(mut self) -> SteppedRun<Io> {
        self.driver_ends();
        SteppedRun::begun(self.program, self.options, self.driven, self.first)
    }
}

fn first_and_second<Io: HostIo, E: From<MachineError>>(
    program: &Program,
    options: RunOptions,
    io: Io,
    recording: Option<&Recording>,
    driven: Driven,
    drive: impl FnOnce(&mut Machine) -> Result<(), E>,
) -> Result<Outcome<Io>, E> {
    let mut run = DrivenRun::new(program, options, Box::new(io), recording, driven)?;
    drive(run.machine())?;
    Ok(run.finish()?)
}

/// The pass that reaches the host.
fn first_pass(
    program: &Program,
    options: &RunOptions,
    io: Box<dyn HostIo>,
    recording: Option<&Recording>,
    driven: Driven,
) -> Result<Begun, MachineError> {
    let scheduler = options.spec.schedule.scheduler()?;
    let world = world(options, io)?;
    let pass = Pass {
        scheduler,
        logged: true,
        analysis: LiveAnalysis::new(Arc::clone(program.sites()), options.analysis.clone()),
        others: match options.profile {
            true => vec![Box::new(Profiler::default())],
            false => Vec::new(),
        },
        recording,
        io: Box::new(Recorder::new(world)),
        control: Arc::clone(&options.control),
        driven,
    };
    Begun::new(program, options, pass)
}

/// What is to be done after the first pass.
enum Next<Io> {
    /// Nothing: this came of the run.
    Done(Outcome<Io>),
    /// The second pass.
    Again(FirstCame<Io>, Begun),
}

/// What came of a run, but for its findings, which the second pass completes.
struct FirstCame<Io> {
    ending: Ending,
    limits_reached: BTreeSet<LimitReached>,
    stats: RunStats,
    io: Io,
    decisions: Option<Arc<Decisions>>,
    profile: Option<Profile>,
    warnings: Vec<String>,
}

impl<Io> FirstCame<Io> {
    fn with(mut self, second: Passed) -> Outcome<Io> {
        if second.ending == Ending::TimedOut {
            self.warnings.push(SECOND_STOPPED.to_owned());
        }
        self.outcome(second.analysis)
    }

    fn outcome(self, analysis: LiveAnalysis) -> Outcome<Io> {
        Outcome {
            ending: self.ending,
            analysis: analysis.finish(),
            limits_reached: self.limits_reached,
            stats: self.stats,
            io: self.io,
            decisions: self.decisions,
            profile: self.profile,
            warnings: self.warnings,
        }
    }
}

/// Begins the second pass, if one is needed and can be made.
fn second_pass<Io: HostIo>(
    program: &Program,
    options: &RunOptions,
    first: Passed,
    driven: Driven,
) -> Result<Next<Io>, MachineError> {
    let mut analysis = first.analysis;
    let (io, answers) = downcast::<Recorder>(first.io).finish();
    if matches!(first.ending, Ending::Returned | Ending::Exited(0)) {
        analysis.end_normally();
    }
    let mut came = FirstCame {
        ending: first.ending,
        limits_reached: first.limits_reached,
        stats: first.stats,
        io: *downcast::<Io>(given(io)),
        decisions: first.decisions,
        profile: (first.others.into_iter().next()).map(|sink| downcast::<Profiler>(sink).finish()),
        warnings: Vec::new(),
    };
    if !analysis.needs_second_pass() {
        return Ok(Next::Done(came.outcome(analysis)));
    }
    let log = RunLog {
        decisions: came.decisions.clone(),
        answers,
    };
    match log.repeat() {
        Err(why) => {
            came.warnings.push(why);
            Ok(Next::Done(came.outcome(analysis)))
        }
        Ok((decisions, answers)) => {
            // It ends by itself at the last access it needs, unless it is asked to.
            options.control.next_pass();
            let again = Pass {
                scheduler: Box::new(Repeated::new(decisions)),
                logged: false,
                analysis: analysis.into_second_pass(),
                others: Vec::new(),
                recording: None,
                io: Box::new(Player::new(answers)),
                control: Arc::clone(&options.control),
                driven,
            };
            Ok(Next::Again(came, Begun::new(program, options, again)?))
        }
    }
}

/// All of the host that the run gets to see: these streams, and its directories. They are the host's, or of whoever has the streams.
fn world(options: &RunOptions, io: Box<dyn HostIo>) -> Result<Box<dyn HostIo>, MachineError> {
    let named = &options.spec.preopens;
    let own = io.preopens();
    let given = directories(options);
    if own.is_empty() && given == *named {
        return Ok(with_directories(options, io));
    }
    if given.is_empty() && own == *named {
        return Ok(io);
    }
    Err(MachineError::Directories {
        named: named.len(),
        given: given.len() + own.len(),
    })
}

/// Names of the host's directories.
#[cfg(feature = "files")]
fn directories(options: &RunOptions) -> Vec<Vec<u8>> {
    let directories = options.directories.iter();
    directories.map(|dir| dir.guest().into()).collect()
}

#[cfg(feature = "files")]
fn with_directories(options: &RunOptions, streams: Box<dyn HostIo>) -> Box<dyn HostIo> {
    Box::new(Files::new(streams, &options.directories))
}

/// What was given to be the streams.
#[cfg(feature = "files")]
fn given(world: Box<dyn HostIo>) -> Box<dyn Any> {
    let world: Box<dyn Any> = world;
    match world.downcast::<Files>() {
        Ok(files) => files.into_streams(),
        Err(world) => world,
    }
}

#[cfg(not(feature = "files"))]
fn directories(_: &RunOptions) -> Vec<Vec<u8>> {
    Vec::new()
}

#[cfg(not(feature = "files"))]
fn with_directories(_: &RunOptions, streams: Box<dyn HostIo>) -> Box<dyn HostIo> {
    streams
}

#[cfg(not(feature = "files"))]
fn given(world: Box<dyn HostIo>) -> Box<dyn Any> {
    world
}

/// What is said where the second pass did not come to its end.
const SECOND_STOPPED: &str = "the second pass, which learns the stacks of earlier accesses, was stopped before its end: \
    some are shown without";

/// What is said of findings in a module without names.
const NAMELESS: &str = "the module has no names, so that libc's and std's own locks and allocators cannot be told from the \
    program: what they do within shows as races; keep the names (no strip, or only of debug information)";

fn downcast<T: Any>(given: Box<dyn Any>) -> Box<T> {
    given
        .downcast()
        .expect("a run gives back what it was given")
}

impl From<Observed> for Outcome<machine::NullIo> {
    /// The run of a trace, as far as the trace tells.
    fn from(observed: Observed) -> Self {
        Outcome {
            ending: observed.ending.unwrap_or(Ending::Halted),
            analysis: observed.analysis,
            limits_reached: BTreeSet::new(),
            stats: RunStats::default(),
            io: machine::NullIo,
            decisions: None,
            profile: None,
            warnings: Vec::new(),
        }
    }
}

impl<Io> Outcome<Io> {
    /// The code a process that ran this should exit with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let is_finding = |one: &Diagnosed| !matches!(one.diagnosis, Diagnosis::Trap(_));
        self.exit_code_given(self.analysis.diagnoses.iter().any(is_finding))
    }

    /// The same, if there are `findings` besides traps that it should fail for: some of those that were diagnosed may be suppressed,
    /// known, or of a kind that does not matter. That goes for a deadlock too.
    #[must_use]
    pub fn exit_code_given(&self, findings: bool) -> u8 {
        if findings {
            return ExitCode::Findings.code();
        }
        if !self.analysis.traps.is_empty() {
            return ExitCode::Trap.code();
        }
        self.own_exit_code()
    }

    /// The code of the guest alone: of a run whose findings, threads that trapped included, are all suppressed or known.
    /// If the run ended by a trap, it is that of a trap nevertheless.
    #[must_use]
    pub fn own_exit_code(&self) -> u8 {
        match self.ending {
            Ending::Returned | Ending::Halted | Ending::Deadlock => 0,
            // As a process: the low byte is what the parent sees.
            Ending::Exited(code) => code as u8,
            Ending::Trapped => ExitCode::Trap.code(),
            Ending::TimedOut | Ending::OutOfSteps => ExitCode::Timeout.code(),
        }
    }

    /// The end of a trace of it, where grind exits with `exit_code` and reports so many findings.
    #[must_use]
    pub fn footer(&self, exit_code: u8, findings: usize) -> Footer {
        Footer {
            exit_code,
            words: self.stats.words,
            events: self.stats.events,
            threads: self.stats.threads,
            findings: findings as u64,
            nanoseconds: self.stats.nanoseconds,
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
        let mut reporting = Reporting::default();
        while reporting.step(self, program, symbolizer, options) {}
        reporting.finish()
    }

    /// How the guest ended.
    #[must_use]
    pub fn guest_exit(&self, sites: &SiteTable, symbolizer: &Symbolizer) -> GuestExit {
        if let Some(trap) = self.analysis.traps.first() {
            let frames = |site: &_| symbolizer.frames(sites.get(*site));
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
