//! Runs a program: its threads interleaved on this OS thread, over one memory, as the scheduler decides.
//!
//! Writes what happens to an [`EventSink`]; knows nothing of detectors.

mod abi;
mod acts;
mod alarm;
mod atomics;
mod calls;
mod clock;
mod driver_memory;
mod embedded;
mod engine;
pub(crate) mod entry;
mod extend;
mod formats;
mod handles;
mod holders;
mod hooks;
mod input;
mod instances;
mod intercepts;
pub mod io;
mod kept;
mod last_words;
mod lock_words;
mod names;
mod ops;
mod outcome;
mod pending;
mod ring;
mod run;
mod scopes;
mod state;
mod stdio;
mod thread;
mod trap;
mod value;
mod waiters;
mod waits;

pub use acts::ActError;
pub use calls::Session;
pub use io::{BufferIo, DriverAct, DriverAtomic, HostIo, NullIo};
pub use outcome::{Joined, ThreadError};
pub use run::{Machine, Pause};
pub use trap::Trap;
pub use value::Value;

use crate::model::sites::SiteId;
use crate::model::{Control, Driven, Ending, EventSink, LimitReached, RunSpec, Slice, ThreadId};
use crate::program::Program;
use crate::program::embedder::Executor;
use crate::schedule::{Scheduler, StrategyError};
use derive_setters::Setters;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Bytes of a page of memory.
pub(crate) const PAGE: u64 = 65_536;

/// How a program is run.
#[derive(Setters)]
#[non_exhaustive]
pub struct MachineConfig {
    /// The run. Its schedule is what the scheduler makes of it; its directories are [`Node::preopen`](io::Node::preopen) in their order.
    pub spec: RunSpec,
    /// Decides the interleaving, and is the source of the guest's randomness.
    pub scheduler: Box<dyn Scheduler>,
    /// Takes what happens.
    pub sink: Box<dyn EventSink>,
    /// The guest's standard streams and files.
    pub io: Box<dyn HostIo>,
    /// The run seen from outside.
    pub control: Arc<Control>,
    /// See [`FUEL`].
    pub fuel: u64,
    /// The engine by name, or the one that is usual.
    pub engine: Option<String>,
    /// Whether whoever has the [`Machine`] acts in the run.
    pub driven: Driven,
    /// Where futures of asynchronous functions of the embedder run.
    pub(crate) executor: Option<Arc<dyn Executor>>,
}

/// Fuel given to a thread at a time, about as many instructions: a thread that touches no memory is interrupted after a
/// tenth of a second or so. Metering costs 3 %. Less changes the schedule and costs time, and is for tests of what happens where fuel
/// ends; an instruction that needs more is given what it needs.
pub const FUEL: u64 = 10_000_000;

/// Fuel given at a time in a run [whose driver is the main thread](Driven::AsMainThread): what makes no records either is left after about a
/// half of a millisecond, so that a driver can abort it. It decides where threads are preempted: another number is another version of the
/// trace format, whose reader says what older traces have.
pub const FUEL_OF_DRIVEN: u64 = 100_000;

/// Fuel given at a time in a run that is driven so, if nothing else is said.
#[must_use]
pub fn usual_fuel(driven: Driven) -> u64 {
    match driven {
        Driven::AsMainThread => FUEL_OF_DRIVEN,
        Driven::ByNobody | Driven::FromOutside => FUEL,
    }
}

impl MachineConfig {
    /// No arguments, environment or directories, the default bounds and entry.
    #[must_use]
    pub fn new(
        scheduler: Box<dyn Scheduler>,
        sink: Box<dyn EventSink>,
        io: Box<dyn HostIo>,
    ) -> MachineConfig {
        MachineConfig {
            spec: RunSpec::default(),
            scheduler,
            sink,
            io,
            control: Arc::default(),
            fuel: FUEL,
            engine: None,
            driven: Driven::ByNobody,
            executor: None,
        }
    }
}

/// Why a program was not run, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    /// The entry function does not exist or takes parameters that nobody can give.
    #[error("{problem}; the module exports {}", if exports.is_empty() { "no functions".to_owned() } else { exports.join(", ") })]
    Entry {
        /// What is wrong.
        problem: String,
        /// The module's exported functions.
        exports: Vec<String>,
    },
    /// Two things that the run is said to be cannot be together.
    #[error("the run is said to be two things at once: {0}")]
    Contradiction(&'static str),
    /// The initial memory that was asked for is beyond the module's own maximum.
    #[error(
        "{wanted} bytes of memory to begin with are more than the module's maximum of {maximum}"
    )]
    InitialMemory {
        /// Bytes asked for.
        wanted: u64,
        /// Bytes the module allows.
        maximum: u64,
    },
    /// The initial memory is beyond [`Limits::memory`](crate::model::Limits::memory).
    #[error("the module starts with {wanted} bytes of memory, more than the limit of {limit}")]
    Memory {
        /// Bytes the module wants.
        wanted: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// There is no engine of this name.
    #[error("there is no engine `{name}` in this grind, which has {}", built_in.join(", "))]
    UnknownEngine {
        /// What was asked for.
        name: String,
        /// What there is.
        built_in: Vec<&'static str>,
    },
    /// The directories that are given are not those that the run names.
    #[error("the run names {named} directories, and {given} are given, or others")]
    Directories {
        /// How many it names.
        named: usize,
        /// How many are given.
        given: usize,
    },
    /// Its schedule is of a strategy that there is not.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// The scheduler decided for a thread that cannot run, or for no time at all.
    #[error(
        "the scheduler let {} run for {} words after {events} events; {}",
        slice.thread, slice.words,
        if *runnable { "it has to be one at least" } else { "that thread cannot run" }
    )]
    Scheduler {
        /// What it decided.
        slice: Slice,
        /// Events before.
        events: u64,
        /// Whether the thread can run.
        runnable: bool,
    },
    /// The log of a driven run has an act that was refused: it is of another run.
    #[error("what the driver did at tick {tick} of the log cannot be done in this run: {why}")]
    Act {
        /// When.
        tick: u64,
        /// Why it was refused.
        why: ActError,
    },
    /// A data segment does not fit into memory.
    #[error("a data segment of {len} bytes at 0x{address:x} does not fit into the initial memory")]
    DataSegment {
        /// Where it should go.
        address: u32,
        /// Its length in bytes.
        len: usize,
    },
    /// The module is larger, in some respect, than the engine takes.
    #[error("the module is too large for the engine: {0}")]
    TooLarge(String),
    /// The module cannot be set up: an element segment beyond its table, a table too large, more of something than
    /// the engine takes.
    #[error("the module cannot be instantiated: {0}")]
    Instantiation(String),
    /// The engine refused the lowered module: a defect of grind.
    #[error("the engine refused the lowered module (this is a defect of grind): {0}")]
    Engine(String),
}

/// A thread that trapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrapReport {
    /// Which.
    pub thread: ThreadId,
    /// Why.
    pub trap: Trap,
    /// The trapping instruction, where it is known.
    pub site: Option<SiteId>,
}

/// What came of a run.
pub struct RunResult {
    /// How it ended.
    pub ending: Ending,
    /// Threads that trapped, in order.
    pub traps: Vec<TrapReport>,
    /// Bounds that the guest ran into.
    pub limits_reached: BTreeSet<LimitReached>,
    /// Counts.
    pub stats: RunStats,
    /// The scheduler that was given.
    pub scheduler: Box<dyn Scheduler>,
    /// The sink that was given.
    pub sink: Box<dyn EventSink>,
    /// The streams that were given.
    pub io: Box<dyn HostIo>,
}

impl RunResult {
    /// The sink, as what it was.
    ///
    /// # Panics
    /// If it was of another type.
    #[must_use]
    pub fn into_sink<S: EventSink>(self) -> Box<S> {
        let sink: Box<dyn std::any::Any> = self.sink;
        sink.downcast()
            .expect("the sink is of the type that was given")
    }
}

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunStats {
    /// Words that plain accesses, calls and returns took: two each, or fewer where several share them.
    pub words: u64,
    /// Everything else.
    pub events: u64,
    /// Threads created, the main thread included.
    pub threads: u32,
    /// Wasm instructions, about.
    pub steps: u64,
    /// Virtual nanoseconds that passed.
    pub nanoseconds: u64,
    /// Bytes of guest memory at the end.
    pub memory: u64,
    /// Instances made; those of finished threads are used again.
    pub instances: u32,
}

/// Runs a program to its end.
///
/// # Errors
/// [`MachineError`] if it cannot be started. Whatever the guest does afterwards is in the [`RunResult`].
pub fn run(program: &Program, config: MachineConfig) -> Result<RunResult, MachineError> {
    Machine::new(program, config)?.run_to_the_end()
}
