//! One guest thread, without its engine half.

use super::ops::Op;
use crate::program::RING_END;
use crate::program::interceptors::Role;
use crate::program::sites::SiteId;
use crate::trace::{BlockedOn, ThreadId};

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// `memory.atomic.wait` at this site.
    Futex { site: SiteId, addr: u32, width: u8 },
    /// The end of a thread.
    Join { thread: ThreadId },
    /// Only the deadline; then `Op` is what it goes on with.
    Sleep,
}

/// Where a thread is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It can run, and goes on with this.
    Ready(Op),
    /// It runs now.
    Running,
    /// It waits, at the longest until the deadline (virtual nanoseconds).
    Blocked { on: Block, deadline: Option<u64> },
    /// Its entry returned.
    Returned,
    /// It trapped.
    Trapped,
}

/// Memory the host allocated for a thread through the guest's allocator (Wasmgrind guests).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostStack {
    pub(super) block: u32,
    pub(super) size: u32,
    /// Initial value of `__stack_pointer`.
    pub(super) top: u32,
    /// Argument of `__wasm_init_tls`.
    pub(super) tls: u32,
}

/// What the linker says of thread-local storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TlsLayout {
    /// Bytes.
    pub(super) size: u32,
    /// Alignment in bytes.
    pub(super) align: u32,
}

/// How a thread enters the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) export: String,
    pub(super) args: Vec<u32>,
    pub(super) stack: Option<HostStack>,
}

/// A guest thread.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) status: Status,
    pub(super) entry: Entry,
    /// Nobody may join it any more.
    pub(super) detached: bool,
    /// Ring slot of the first record not yet drained.
    pub(super) slot: u32,
    /// Intercepted functions it is in, innermost last: role and arguments.
    pub(super) intercepted: Vec<(Role, [u32; 4])>,
    /// Where a bulk operation is about to trap.
    pub(super) trap_site: Option<SiteId>,
}

impl Thread {
    pub(super) fn new(entry: Entry) -> Self {
        Thread {
            status: Status::Ready(Op::Start),
            entry,
            detached: false,
            slot: RING_END,
            intercepted: Vec::new(),
            trap_site: None,
        }
    }

    pub(super) fn ended(&self) -> bool {
        matches!(self.status, Status::Returned | Status::Trapped)
    }

    /// What it waits for, if it waits without a deadline.
    pub(super) fn blocked_forever(&self) -> Option<BlockedOn> {
        match self.status {
            Status::Blocked {
                on: Block::Futex { site, addr, .. },
                deadline: None,
            } => Some(BlockedOn::Futex { site, addr }),
            Status::Blocked {
                on: Block::Join { thread },
                deadline: None,
            } => Some(BlockedOn::Join { thread }),
            _ => None,
        }
    }
}
