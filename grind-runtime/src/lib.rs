//! Runs multi-threaded WebAssembly, records what its threads did, and finds their data races.
//!
//! `app.wasm → Program → Machine (asks a Scheduler) → events → {trace, detectors} → findings → report`
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use grind_runtime::{BufferIo, Program, RunOptions, run};
//!
//! // Two threads write the same word.
//! let wasm = wat::parse_str(r#"(module
//!     (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
//!     (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
//!     (memory 1 1 shared)
//!     (func $write (i32.store (i32.const 64) (i32.const 1)))
//!     (func (export "thread_start") (param i32) (call $write))
//!     (func (export "_start")
//!         (drop (call $create (i32.const 0) (i32.const 0)))
//!         (call $write)
//!         (drop (call $join (i32.load (i32.const 0))))))"#)?;
//! let program = Program::new(&wasm)?;
//! let found = (0..10).any(|seed| {
//!     let outcome = run(&program, RunOptions::seeded(seed), BufferIo::default());
//!     outcome.is_ok_and(|outcome| !outcome.analysis.diagnoses.is_empty())
//! });
//! assert!(found);
//! # Ok(())
//! # }
//! ```
//!
//! | to | begin with |
//! |---|---|
//! | find what is wrong in a run | [`Program`], [`run`], [`Outcome::report`] |
//! | try many schedules | [`explore`], [`Seeds`] or an [`Explorer`] of your own |
//! | give the guest functions | [`HostImport::wrap`] |
//! | drive a run: threads, time, what waits outside | [`drive`], [`Machine`] |
//! | host threads: handles, join sets, deadlines, supervisors | [`host`], [`host::supervisor`] |
//! | load, run and report in steps, between which the caller's only thread does something else | [`Loading`], [`SteppedRun`], [`Reporting`] |
//! | give the guest files in memory | [`MemoryFiles`] |
//! | decide who runs | [`Scheduler`] |
//! | record, and run again | [`record`], [`TraceWriter`], [`replay`] |
//! | predict from a trace | [`analyze`] |
//!
//! | feature | what it adds | by default |
//! |---|---|---|
//! | `artifacts` | modules that cargo built, by the name of their package (`host::artifacts`) | no |
//! | `files` | directories of the host for guests ([`Preopen`]) | yes |
//! | `html` | reports as HTML | yes |
//! | `reports` | reports as JUnit and SARIF, and `html` | yes |
//! | `wat` | threads of modules in the text format ([`host::ThreadRuntime::spawn_wat`]) | yes |
//! | `zstd` | traces are compressed, by the C library; without it, they are written as they are, and any can be read | yes |
//! | `parquet` | traces as tables | no |
//! | `tokio` | `tokio::runtime::Handle` as the [executor](host::Executor) of asynchronous functions of the host | no |
//!
//! For `wasm32-unknown-unknown` it builds with `html` and `reports` only.
//!
//! What is documented here is the interface. Everything below the modules that are not listed is for grind's own command line and tests,
//! and may change with any version. See `docs/ARCHITECTURE.md` for the map and the invariants.

#![forbid(unsafe_code)]

#[doc(hidden)]
pub mod detect;
#[doc(hidden)]
pub mod explore;
pub mod host;
#[doc(hidden)]
pub mod interop;
#[doc(hidden)]
pub mod machine;
#[doc(hidden)]
pub mod model;
#[doc(hidden)]
pub mod predict;
#[doc(hidden)]
pub mod program;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod schedule;
#[doc(hidden)]
pub mod session;
#[doc(hidden)]
pub mod trace;

pub use detect::{AnalysisOptions, Diagnosis, FindingKind};
pub use explore::{Explorer, RunFeedback, Seeds, explore};
pub use machine::io::{BufferIo, HostIo, NullIo};
pub use machine::{ActError, Machine, MachineConfig, MachineError, Pause, Trap, Value};
pub use model::{
    Control, Decisions, Driven, Ending, Entry, Event, EventKind, EventSink, Flow, Limits,
    Operation, RunSpec, Schedule, Slice, SpawnPath, Strategy, ThreadId, Unfinished,
};
pub use predict::translate::{Bounds, analyze};
pub use program::embedder::{Guest, HostError, HostImport, Reply, Wake};
pub use program::symbols::Symbolizer;
pub use program::{Loading, ModuleInfo, Program, ProgramError, ProgramOptions, Translate};
pub use report::{Finding, Kind, Report};
pub use schedule::{Point, Scheduler};
#[cfg(feature = "files")]
pub use session::Preopen;
pub use session::{
    ExitCode, FileTree, MemoryFiles, Outcome, Reporting, RunOptions, Step, SteppedRun, TreeError,
    TreeLimits, drive, record, replay, run,
};
pub use trace::{TraceError, TraceReader, TraceWriter};
