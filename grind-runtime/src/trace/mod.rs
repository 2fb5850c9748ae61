//! What happened: events and those who take them.

pub(crate) mod calls;
mod describe;
pub mod event;
pub mod file;
mod hash;
pub(crate) mod lanes;
pub(crate) mod locks;
mod records;
mod waiting;

pub use event::*;
pub use hash::EventHash;
pub(crate) use records::{MOST_SITES, Region, SINGLE, header, region};
pub use records::{RecordBuffer, Records};
pub use waiting::{WaitKind, Waiting};
