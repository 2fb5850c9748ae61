//! What happened: events and those who take them.

pub mod event;
pub mod file;

pub use event::*;
