//! What happened: events and those who take them.

pub mod event;
pub mod file;
mod hash;

pub use event::*;
pub use hash::EventHash;
