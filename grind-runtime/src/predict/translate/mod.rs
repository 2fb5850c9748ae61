//! Analyses of trace files, without running anything: what the recorded run showed, and what other schedules of the same
//! execution would have shown.
//!
//! A trace is read several times and never kept: for what the run showed, as often as live detection runs a program; to learn which
//! memory matters; for the analyses; and for the stacks of what they found.
//!
//! | file | what |
//! |---|---|
//! | `visible` | what of a trace orders and conflicts |
//! | `locks` | which words are locks, and nothing else |
//! | `shape` | which bytes are accessed as one, and which of them matter |
//! | `paged` | tables by address |
//! | [`Translation`] | a trace as the events of [`crate::predict::algorithms`] |
//! | [`analyses`] | which analyses there are; runs them |
//! | [`observe`] | what live detection says of the run that was recorded |
//! | `plan` | schedules that lead a run to it |
//! | `evidence` | the stacks and locks of what was found |

pub mod analyses;
mod evidence;
mod locks;
mod observed;
mod paged;
mod plan;
mod shape;
mod source;
mod visible;

pub use analyses::{Analysis, Analyzed, Bounds, OfflineError, Predicted, Progress, analyze};
pub use observed::{Observed, observe};
pub(crate) use plan::{Plan, Plans};
pub use source::Translation;
pub(crate) use visible::Tracker;
