//! Analyses of trace files, without running anything: what other schedules of the same execution would have shown.
//!
//! A trace is read several times and never kept: once to learn which memory matters, once for the analyses, and once
//! for the stacks of what they found.
//!
//! | file | what |
//! |---|---|
//! | `visible` | what of a trace orders and conflicts |
//! | `locks` | which words are locks, and nothing else |
//! | `shape` | which bytes are accessed as one, and which of them matter |
//! | `paged` | tables by address |
//! | [`Translation`] | a trace as the events of [`crate::predict`] |
//! | [`analyses`] | which analyses there are; runs them |
//! | `plan` | schedules that lead a run to it |
//! | `evidence` | the stacks and locks of what was found |

pub mod analyses;
mod evidence;
mod locks;
mod paged;
mod plan;
mod shape;
mod source;
mod visible;

pub use analyses::{Analysis, Analyzed, OfflineError, Predicted, Progress, analyze};
pub(crate) use plan::{Plan, plans};
pub use source::Translation;
pub(crate) use visible::Tracker;
