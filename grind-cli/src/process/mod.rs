//! Grind as a process: what ends it early, and what is whole nevertheless.

pub(crate) mod aborts;
pub(crate) mod bound;
pub(crate) mod memory;
pub(crate) mod set_up;
pub(crate) mod signals;
pub(crate) mod watch;
pub(crate) mod whole_file;
