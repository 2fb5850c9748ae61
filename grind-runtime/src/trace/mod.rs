//! What happened: events and those who take them.

pub mod event;
mod hash;

pub use event::*;
pub use hash::EventHash;
