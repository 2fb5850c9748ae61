//! What the events mean for whoever debugs a program: races, misused locks, memory and threads, one detector a file.
//!
//! Nothing here knows the machine: it eats events, and cannot tell a live run from a file.
//!
//! | room | what |
//! |---|---|
//! | [`live`] | all detectors over one stream, in two passes |
//! | `table` | the detectors that need no more than events and contexts |
//! | [`common`] | what a detector is, what it says, what can be wrong; per thread: call stack, held locks, what is hidden; bounds |
//! | `clocks` | vector clocks, which events order which threads, and the order by creation, join and barriers alone |
//! | `races` | shadow memory, byte by byte, and the detector over it; how a race gets its second stack and its history |
//! | `locks` | deadlocks, lock orders, lock misuse, lives of synchronisation objects, notifications |
//! | `memory` | heap blocks, their misuse, stacks that overflow |
//! | `threads` | threads that nobody joined, or somebody twice; traps |

pub(crate) mod clocks;
pub mod common;
pub mod live;
mod locks;
mod memory;
pub(crate) mod races;
mod table;
mod threads;

pub use common::diagnosis::*;
pub use common::kind::{FindingKind, Group, Rule, Severity};
pub use common::limits::{DetectionEnd, LimitNotice, Limits};
pub use common::step::{History, HistoryStep, StepKind};
pub use live::{AnalysisOptions, AnalysisOutcome, AnalysisStats, Detect, LiveAnalysis};
pub use memory::stack_overflow::StackOverflow;
