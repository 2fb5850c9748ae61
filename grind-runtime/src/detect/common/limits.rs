//! How large the tables of an analysis may grow, and what it says when one was full.
//!
//! A full table never makes a finding wrong. What it can cost are findings, and then a
//! [`LimitNotice`] says so.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

/// Bounds of the tables.
#[derive(Clone, Debug, PartialEq, Eq, Setters)]
#[non_exhaustive]
pub struct Limits {
    /// Slots of vector clocks: threads that are alive, or ended without anyone having learned of it.
    /// Values above 2048 count as 2048. When exceeded, detection ends.
    pub slots: u32,
    /// The highest epoch of a thread. Values above `u32::MAX - 1` count as that. When exceeded, detection
    /// ends.
    pub clock: u32,
    /// Threads of a whole run. What later ones do is not analysed, and detection ends.
    pub threads: u32,
    /// Distinct races kept. Others are counted only.
    pub candidates: usize,
    /// Frames of one thread's call stack. Calls below are counted but not kept.
    pub call_depth: usize,
    /// Innermost frames kept in a stored stack (of an access, a lock, a thread's creation).
    pub stack_frames: usize,
    /// Live heap blocks known by name. Others are not shown in reports; freeing them is not checked.
    pub heap_blocks: usize,
    /// Frames of all distinct stacks that allocated a block. Later ones stay without a stack.
    pub heap_frames: usize,
    /// Addresses used for synchronisation (atomics by 8-byte granule, locks, futexes, annotations). When
    /// exceeded, detection ends.
    pub sync_objects: usize,
    /// Bytes for memory that several threads access, or one in several epochs, beyond the 2 bytes that each
    /// byte of guest memory takes in any case. Words with the same accesses share these. When exceeded,
    /// memory that needs more forgets its older accesses.
    pub shared_bytes: usize,
    /// Benign ranges, and names of locks. Others are ignored.
    pub annotations: usize,
    /// Pairs of locks of which a thread took one while it held the other. When exceeded, pairs of locks that
    /// are no more make room; if there is none, others are ignored.
    pub lock_orders: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            slots: 2048,
            clock: u32::MAX - 1,
            threads: 1 << 18,
            candidates: 1000,
            call_depth: 1 << 16,
            stack_frames: 1024,
            heap_blocks: 1 << 20,
            heap_frames: 1 << 24,
            sync_objects: 1 << 22,
            shared_bytes: 1 << 29,
            annotations: 1 << 16,
            lock_orders: 1 << 15,
        }
    }
}

/// A table was full, and what that cost.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LimitNotice {
    /// Race detection ended before the run did.
    DetectionEnded {
        /// Why.
        cause: DetectionEnd,
        /// Records and events analysed until then.
        position: u64,
    },
    /// More distinct races than are kept.
    Candidates {
        /// How many are kept.
        limit: usize,
        /// How often a race beyond these was seen.
        dropped: u64,
    },
    /// Calls nested deeper than the call stack kept; the stacks of what happened there lack their
    /// innermost frames.
    CallDepth {
        /// Frames kept.
        limit: usize,
    },
    /// A stack was cut to its innermost frames.
    StackFrames {
        /// Frames kept.
        limit: usize,
    },
    /// Blocks that could not be registered.
    HeapBlocks {
        /// Live blocks kept.
        limit: usize,
        /// How many were not.
        dropped: u64,
    },
    /// Shared memory forgot accesses: races with these were not found.
    SharedAccesses {
        /// Bytes for accesses to shared memory.
        limit: usize,
        /// How many were forgotten.
        forgotten: u64,
    },
    /// Annotations that were ignored.
    Annotations {
        /// How many of a kind are kept.
        limit: usize,
        /// How many were not.
        dropped: u64,
    },
    /// Pairs of locks taken one within the other, or their stacks, that were not kept.
    LockOrders {
        /// Pairs kept.
        limit: usize,
        /// How often one was not.
        dropped: u64,
    },
    /// Searches for lock-order inversions that gave up, or found more than are kept.
    LockOrderSearch {
        /// How many.
        searches: u64,
    },
    /// More distinct traps than are kept.
    Traps {
        /// How many are kept.
        limit: usize,
        /// Threads that trapped elsewhere.
        dropped: u64,
    },
    /// Lock orders were not recorded to the end of the run.
    LockOrderEnded {
        /// Why.
        cause: DetectionEnd,
    },
}

/// Why race detection ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum DetectionEnd {
    /// More threads at once than there are slots.
    Slots(u32),
    /// A thread's clock ran out.
    Clock(u32),
    /// More threads than [`Limits::threads`].
    Threads(u32),
    /// More synchronisation addresses than [`Limits::sync_objects`].
    SyncObjects(usize),
}

impl std::fmt::Display for DetectionEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DetectionEnd::Slots(limit) => {
                write!(
                    f,
                    "more than {limit} threads whose end no one has waited for"
                )
            }
            DetectionEnd::Clock(limit) => {
                write!(f, "a thread released to others more than {limit} times")
            }
            DetectionEnd::Threads(limit) => write!(f, "more than {limit} threads in one run"),
            DetectionEnd::SyncObjects(limit) => {
                write!(f, "more than {limit} addresses used for synchronisation")
            }
        }
    }
}

impl std::fmt::Display for LimitNotice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LimitNotice::DetectionEnded { cause, position } => {
                write!(f, "race detection ended after {position} records: {cause}")
            }
            LimitNotice::Candidates { limit, dropped } => write!(
                f,
                "more than {limit} distinct races; others were seen {dropped} times and are not shown"
            ),
            LimitNotice::CallDepth { limit } => write!(
                f,
                "calls nested deeper than {limit}; stacks from there lack their innermost frames"
            ),
            LimitNotice::StackFrames { limit } => {
                write!(f, "a stack was cut to its {limit} innermost frames")
            }
            LimitNotice::HeapBlocks { limit, dropped } => write!(
                f,
                "more than {limit} live heap blocks; {dropped} are not known to the reports"
            ),
            LimitNotice::SharedAccesses { limit, forgotten } => write!(
                f,
                "more than {limit} bytes of accesses to shared memory to remember; {forgotten} were \
                 forgotten, and races with them not found"
            ),
            LimitNotice::Annotations { limit, dropped } => {
                write!(
                    f,
                    "more than {limit} annotations of a kind; {dropped} were ignored"
                )
            }
            LimitNotice::LockOrders { limit, dropped } => write!(
                f,
                "more than {limit} pairs of locks taken one within the other; {dropped} were not \
                 looked at for lock-order inversions"
            ),
            LimitNotice::LockOrderSearch { searches } => write!(
                f,
                "the search for lock-order inversions was cut short {searches} times"
            ),
            LimitNotice::Traps { limit, dropped } => write!(
                f,
                "more than {limit} distinct traps; {dropped} threads trapped elsewhere"
            ),
            LimitNotice::LockOrderEnded { cause } => {
                write!(
                    f,
                    "the search for lock-order inversions ended early: {cause}"
                )
            }
        }
    }
}
