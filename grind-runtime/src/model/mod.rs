//! The words of everything else: threads, sites, events, records, and what a run may use. Imports nothing of the crate.

pub(crate) mod bytes;
pub(crate) mod calls;
mod control;
mod decisions;
mod describe;
mod entry;
pub mod event;
mod hash;
pub(crate) mod lanes;
pub(crate) mod limits;
pub(crate) mod locks;
pub(crate) mod meaning;
mod profile;
mod records;
mod run_spec;
mod schedule;
pub mod sites;
mod waiting;

pub use control::Control;
pub(crate) use control::Sleeper;
pub use decisions::{Change, Decisions};
pub use entry::{AFTERWARDS, Driven, Ending, Entry, Unfinished, WORK_AFTERWARDS};
pub use event::*;
pub use hash::EventHash;
pub use limits::{LimitReached, Limits};
pub use profile::{Profile, ReadsFrom, SharedWord};
pub(crate) use records::{MOST_SITES, Region, SINGLE, header, region};
pub use records::{RecordBuffer, Records};
pub use run_spec::RunSpec;
pub use schedule::{Operation, Schedule, ScheduleName, Slice, SpawnPath, Strategy};
pub use waiting::{WaitKind, Waiting};
