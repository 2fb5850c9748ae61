//! What happened: events and those who take them.

pub mod event;

pub use event::*;
