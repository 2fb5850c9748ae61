//! What the main thread runs, what its end means, and how a run ends.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

/// What the main thread runs, and what its end means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Setters)]
#[non_exhaustive]
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
    /// most [`AFTERWARDS`] of virtual time, and
    /// [`WORK_AFTERWARDS`] of work. Nothing of it reaches the host: a thread goes no further
    /// than to where it wants to write, read or ask. The run ends as the main thread ended it, unless a thread traps where that ends
    /// all.
    #[default]
    Observe,
}

/// Who acts in a run besides the guest: a driver, between two turns of its threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Driven {
    /// Nobody.
    #[default]
    ByNobody,
    /// A driver that wakes and ends threads; the main thread runs the guest's entry.
    FromOutside,
    /// A driver that is the main thread: what it reads, writes, creates and joins is what the main thread does, which runs nothing of
    /// the guest. Of the [`Entry`] only [`Entry::unfinished`] counts.
    AsMainThread,
}

/// Virtual nanoseconds for which unfinished threads are observed: sleeps of a few seconds. ThreadSanitizer waits for one second (its
/// `atexit_sleep_ms`) of real time.
pub const AFTERWARDS: u64 = 5_000_000_000;

/// Work that unfinished threads may do while they are observed, in virtual nanoseconds: so many words of records, or a fiftieth of it
/// host calls and synchronisation, over all threads. A thread that never ends costs a run a tenth of a second by this.
pub const WORK_AFTERWARDS: u64 = 5_000_000;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The main thread's entry returned.
    Returned,
    /// The guest exited with this code.
    Exited(i32),
    /// The main thread trapped, or any thread where that ends all (wasi-threads).
    Trapped,
    /// Every live thread was blocked forever.
    Deadlock,
    /// The sink asked for it.
    Halted,
    /// [`Control::request_stop`](super::Control::request_stop) was called.
    TimedOut,
    /// [`Limits::steps`](super::Limits::steps) was reached.
    OutOfSteps,
}
