//! Threads: handles, ends and traps.

pub(crate) mod handle_misuse;
pub(crate) mod thread_leak;
pub(crate) mod traps;
