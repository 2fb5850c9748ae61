//! Runs multi-threaded WebAssembly, records what its threads did, and finds their data races.
//!
//! `app.wasm → Program → Machine (asks a Scheduler) → events → {trace, detectors} → findings → report`
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use grind_runtime::session::{RunOptions, self};
//! use grind_runtime::machine::BufferIo;
//! use grind_runtime::program::Program;
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
//!     let outcome = session::run(&program, RunOptions::seeded(seed), BufferIo::default());
//!     outcome.is_ok_and(|outcome| !outcome.analysis.diagnoses.is_empty())
//! });
//! assert!(found);
//! # Ok(())
//! # }
//! ```
//!
//! | feature | what it adds | by default |
//! |---|---|---|
//! | `files` | directories of the host for guests ([`session::Preopen`]) | yes |
//! | `reports` | reports as HTML, JUnit and SARIF | yes |
//! | `zstd` | traces are compressed, by the C library; without it, they are written as they are, and any can be read | yes |
//! | `parquet` | traces as tables ([`interop`]) | no |
//!
//! Without these, it builds for `wasm32-unknown-unknown`.
//!
//! See `docs/ARCHITECTURE.md` for the map and the invariants.

#![forbid(unsafe_code)]

pub mod detect;
pub mod explore;
pub mod interop;
pub mod machine;
pub mod model;
pub use predict::translate as offline;
pub mod predict;
pub mod program;
pub mod report;
pub mod schedule;
pub mod session;
pub mod trace;
