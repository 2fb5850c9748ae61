//! What the main thread runs, and what its end means.

use serde::{Deserialize, Serialize};

/// What the main thread runs, and what its end means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// Exported function; by default `_start`, else `main`. If it is another than `_start`, `_initialize` runs first,
    /// where it is exported.
    pub function: Option<String>,
    /// Run `_start` first, and the function when that returned.
    pub after_start: bool,
    /// What becomes of the other threads when it has returned, or the guest has called exit.
    pub unfinished: Unfinished,
}

/// What becomes of threads that have not ended when the main thread has returned, or the guest has called exit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unfinished {
    /// They end with the run, where they are.
    End,
    /// They run to their ends, if the main thread returned; the run ends when they have.
    Wait,
    /// They run on for a while, as if the main thread had been held up right before its end, and are looked at like before: at
    /// most [`AFTERWARDS`](crate::machine::AFTERWARDS) of virtual time, and
    /// [`WORK_AFTERWARDS`](crate::machine::WORK_AFTERWARDS) of work. Nothing of it reaches the host: a thread goes no further
    /// than to where it wants to write, read or ask. The run ends as the main thread ended it, unless a thread traps where that ends
    /// all.
    #[default]
    Observe,
}
