//! What the events mean: clocks, shadow memory, one detector per file.
//!
//! Nothing here knows the machine: it eats events, and cannot tell a live run from a file.
//!
//! | file | what |
//! |---|---|
//! | [`diagnosis`] | what a detector says |
//! | [`live`] | all detectors over one stream, in two passes |
//! | `detector` | what a detector is, and the table of them |
//! | [`limits`] | bounds of the tables, and what is said when one was full |
//! | `context` | per thread: call stack, held locks, what is hidden |
//! | `clock`, `order` | vector clocks, and which events order which threads |
//! | `cell`, `shadow`, `wide` | which accesses a later one could still race with, byte by byte |
//! | `happens_before` | data races |
//! | `drain` | its hot loop |
//! | `candidates`, `second_pass` | how a race gets its second stack |
//! | [`kind`] | what can be wrong, in one table |
//! | `deadlock`, `lock_order`, `lock_misuse` | what their names say |
//! | `notifications` | who notified what, and whether anybody heard |
//! | `sync_objects` | mutexes, condition variables and barriers of POSIX threads, from their beginning to their end |
//! | `condvar_locks` | condition variables that are waited on with two locks |
//! | `thread_leak`, `handle_misuse` | threads that nobody joined, or somebody twice |
//! | `fork_join` | order by creation and join of threads, and barriers, alone |
//! | [`history`] | what led to a race |
//! | `heap`, `benign` | heap blocks; bytes that race on purpose |
//! | `heap_misuse` | use after free, double and invalid frees |

pub(crate) mod benign;
mod candidates;
mod cell;
mod clock;
mod condvar_locks;
mod context;
mod deadlock;
mod detector;
pub mod diagnosis;
mod drain;
mod fork_join;
mod handle_misuse;
mod happens_before;
mod heap;
mod heap_misuse;
mod history;
pub mod kind;
pub mod limits;
pub mod live;
mod lock_misuse;
mod lock_order;
mod notifications;
mod order;
pub(crate) mod rounds;
mod second_pass;
mod shadow;
mod stack_overflow;
pub mod step;
mod sync_objects;
mod table;
mod thread_leak;
mod traps;
mod wide;

pub use diagnosis::*;
pub use kind::{FindingKind, Group, Rule, Severity};
pub use limits::{DetectionEnd, LimitNotice, Limits};
pub use live::{AnalysisOptions, AnalysisOutcome, AnalysisStats, Detect, LiveAnalysis};
pub use stack_overflow::StackOverflow;
pub use step::{History, HistoryStep, StepKind};
