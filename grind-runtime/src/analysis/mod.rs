//! What the events mean: clocks, shadow memory, one detector per file.
//!
//! Nothing here knows the machine: it eats events, and cannot tell a live run from a file.
//!
//! | file | what |
//! |---|---|
//! | [`diagnosis`] | what a detector says |
//! | [`live`] | all detectors over one stream, in two passes |
//! | [`limits`] | bounds of the tables, and what is said when one was full |
//! | `context` | per thread: call stack, held locks, what is hidden |
//! | `clock`, `order` | vector clocks, and which events order which threads |
//! | `cell`, `shadow`, `wide` | which accesses a later one could still race with, byte by byte |
//! | `happens_before` | data races |
//! | `drain` | its hot loop |
//! | `candidates`, `second_pass` | how a race gets its second stack |
//! | `deadlock`, `lock_misuse` | what their names say |
//! | `heap`, `benign` | heap blocks; bytes that race on purpose |

mod benign;
mod candidates;
mod cell;
mod clock;
mod context;
mod deadlock;
pub mod diagnosis;
mod drain;
mod happens_before;
mod heap;
pub mod limits;
pub mod live;
mod lock_misuse;
mod order;
mod second_pass;
mod shadow;
mod wide;

pub use diagnosis::*;
pub use limits::{DetectionEnd, LimitNotice, Limits};
pub use live::{AnalysisOptions, AnalysisOutcome, AnalysisStats, Detect, LiveAnalysis};
