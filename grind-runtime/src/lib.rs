//! Runs multi-threaded WebAssembly, records what its threads did, and finds their data races.
//!
//! `app.wasm → Program → Machine (asks a Scheduler) → events → {trace, detectors} → findings → report`
//!
//! See `docs/ARCHITECTURE.md` for the map and the invariants.

#![forbid(unsafe_code)]

pub mod analysis;
pub mod explore;
pub mod host;
pub mod interop;
pub mod machine;
pub mod model;
pub mod offline;
pub mod predict;
pub mod program;
pub mod report;
pub mod schedule;
pub mod trace;
