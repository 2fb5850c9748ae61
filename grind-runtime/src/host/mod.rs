//! A host of guest threads: handles and join sets, for programs that give a guest work and wait for it.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use grind_runtime::host::{JoinSet, ThreadRuntime};
//! use grind_runtime::{BufferIo, Program, RunOptions, Value};
//!
//! let wasm = wat::parse_str(
//!     r#"(module (memory (export "memory") 1 1 shared)
//!         (func (export "add") (param i32) (result i32)
//!             (i32.atomic.rmw.add (i32.const 64) (local.get 0))))"#,
//! )?;
//! let program = Program::new(&wasm)?;
//! let runtime = ThreadRuntime::with_program(&program, RunOptions::seeded(1), BufferIo::default())?;
//! let mut set = JoinSet::new();
//! for number in 1..=4 {
//!     set.spawn(&runtime, "add", [Value::I32(number)])?;
//! }
//! while let Some((_, result)) = set.join_next() {
//!     result?;
//! }
//! assert_eq!(runtime.mem_read(64, 4)?, [10, 0, 0, 0]);
//! // What the run showed: no race.
//! assert!(runtime.finish()?.analysis.diagnoses.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! The guest runs on the host's thread that waits for something: [`ThreadHandle::join`], [`JoinSet::join_next`] and, for a slice,
//! [`ThreadHandle::is_finished`]. Any thread of the host may do so, and act meanwhile: who waits lets others in at the next scheduling
//! point, at the latest when the thread that runs has used up its [fuel](crate::machine::FUEL_OF_DRIVEN). What the host does is done by the main
//! thread of the run, is recorded, and orders as what a main thread does: the run replays without its host.

/// What the page about the host shows is run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/host.md")]
struct Page;

mod added;
#[cfg(feature = "artifacts")]
pub mod artifacts;
mod deadlines;
mod handle;
mod instance;
mod join_set;
mod linker;
mod memory;
mod namespace;
mod process_stdin;
mod recorded;
mod reentry;
mod runtime;
mod shared;
mod stdio;
pub mod supervisor;
mod tasks;

pub use crate::machine::ThreadError;
pub use crate::program::embedder::{Executor, Role, RoleTypes, Task};
pub use crate::program::{DeserializeError, LinkError, Modules, SerializeError};
pub use added::SpawnError;
pub use handle::{JoinError, ThreadHandle};
pub use instance::{CallError, Instance};
pub use join_set::JoinSet;
pub use linker::Linker;
pub use memory::{AtomicNumber, MemoryNumber};
pub use namespace::{LiveNamespace, Namespace, NamespaceError};
pub use recorded::RecordError;
pub use runtime::{ThreadRuntime, shared_pages_for_bytes};
pub use stdio::{CAPTURE_LIMIT, Captured, InputStream, OutputStream, Stdio};
pub use tasks::PollError;
pub use threadlink::abi::Polled;
