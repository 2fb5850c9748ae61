//! One guest thread, without its engine half.

use super::intercepts::{Frame, Function};
use super::kept::Kept;
use super::last_words::LastWords;
use super::ops::Op;
use super::stdio::Count;
use crate::model::sites::SiteId;
use crate::model::{BlockedOn, ThreadId};
use crate::program::RING_END;
use crate::program::interceptors::Role;

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// `memory.atomic.wait` at this site.
    Futex { site: SiteId, addr: u32, width: u8 },
    /// The end of a thread.
    Join { thread: ThreadId },
    /// Only the deadline.
    Sleep,
    /// Standard input.
    Input,
    /// Somebody who wakes who waits for this key, in a function of the embedder.
    Key { key: u64 },
    /// Nothing of the guest: it is the main thread of a machine whose driver acts as that, or is kept for what the driver asks.
    Driver,
    /// Nothing: it called exit, or wanted the host when the run had ended, and others are observed.
    Exited,
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
    /// The driver ended it.
    Aborted,
}

/// Why a thread that waited for a key goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// Somebody woke it: a thread, or somebody outside of the guest.
    By { key: u64, waker: Option<ThreadId> },
    /// Its deadline passed.
    DeadlinePassed,
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
pub(super) struct ThreadEntry {
    /// Exports to call, one after the other.
    pub(super) exports: Vec<String>,
    /// Arguments of the last, as bits.
    pub(super) args: Vec<u64>,
    pub(super) stack: Option<HostStack>,
}

/// What is known of a thread's stack, which grows downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stack {
    /// Where it begins: behind its last byte.
    top: Option<u32>,
    /// The lowest address that the sink was told.
    low: Option<u32>,
}

impl Stack {
    /// One that begins here.
    pub(super) fn from(top: u32) -> Stack {
        Stack {
            top: Some(top),
            low: None,
        }
    }

    /// The thread is suspended with this stack pointer: what lies between is its stack. Returns the bounds if they
    /// are news.
    pub(super) fn reaches(&mut self, pointer: u32) -> Option<(u32, u32)> {
        let top = self.top?;
        let news = pointer < self.low.unwrap_or(top);
        if news {
            self.low = Some(pointer);
        }
        news.then_some((pointer, top))
    }
}

/// A guest thread.
#[derive(Debug)]
pub(super) struct Thread {
    pub(super) status: Status,
    pub(super) entry: ThreadEntry,
    /// Nobody may join it any more.
    pub(super) detached: bool,
    /// Ring slot of the first record not yet drained.
    pub(super) slot: u32,
    /// Intercepted functions it is in, innermost last.
    pub(super) intercepted: Vec<Frame>,
    /// Where the `scanf` that it is in may write how much it has read.
    pub(super) counts: Vec<Count>,
    /// The scope that its next thread is counted in.
    pub(super) scope: Option<u32>,
    /// Its name is known.
    pub(super) named: bool,
    /// What its next thread is called.
    pub(super) names_next: Option<String>,
    /// The thread it created last.
    pub(super) last_child: Option<ThreadId>,
    pub(super) stack: Stack,
    /// What it does again when it need not wait for input any more.
    pub(super) again: Option<Op>,
    /// What it goes on with when the calls that host functions make have returned, innermost last. Such a call may be interrupted like
    /// any other.
    pub(super) after_calls: Vec<Op>,
    /// Where a bulk operation is about to trap.
    pub(super) trap_site: Option<SiteId>,
    /// What it wrote to standard error.
    pub(super) last_words: LastWords,
    /// Why a function of the embedder is called again.
    pub(super) woken: Option<Woken>,
    /// The driver created it, and is told of its end.
    pub(super) of_driver: bool,
    /// It calls what the driver asks it to, and is about this.
    pub(super) kept: Option<Kept>,
    /// Who created it, and how many that one had created before.
    pub(super) origin: (ThreadId, u32),
    /// How many threads it created.
    pub(super) children: u32,
    /// Atomic accesses since the last that gave memory another value.
    pub(super) in_vain: u32,
    /// Who waits for its end.
    pub(super) joiners: Vec<ThreadId>,
    /// How many had ended before it, if it has.
    pub(super) ended_as: Option<u32>,
}

impl Thread {
    pub(super) fn new(entry: ThreadEntry) -> Self {
        Thread {
            stack: (entry.stack).map_or_else(Stack::default, |stack| Stack::from(stack.top)),
            status: Status::Ready(Op::Start),
            entry,
            detached: false,
            slot: RING_END,
            intercepted: Vec::new(),
            counts: Vec::new(),
            scope: None,
            named: false,
            names_next: None,
            last_child: None,
            again: None,
            after_calls: Vec::new(),
            trap_site: None,
            last_words: LastWords::default(),
            woken: None,
            of_driver: false,
            kept: None,
            origin: (ThreadId(0), 0),
            children: 0,
            in_vain: 0,
            joiners: Vec::new(),
            ended_as: None,
        }
    }

    /// It ended: what it needed only to run is given back, for a run may have a million threads.
    pub(super) fn end(&mut self, status: Status) {
        self.status = status;
        self.entry.exports = Vec::new();
        self.entry.args = Vec::new();
        self.intercepted = Vec::new();
        self.counts = Vec::new();
        self.last_words = LastWords::default();
    }

    pub(super) fn ended(&self) -> bool {
        matches!(
            self.status,
            Status::Returned | Status::Trapped | Status::Aborted
        )
    }

    /// Whether it waits for the driver of the machine, and for nothing else.
    pub(super) fn is_parked(&self) -> bool {
        matches!(
            self.status,
            Status::Blocked {
                on: Block::Driver,
                ..
            }
        )
    }

    /// The handle that it waits for in an intercepted function which joins.
    pub(super) fn joining(&self) -> Option<u32> {
        self.intercepted.iter().find_map(|frame| match *frame {
            Frame::Inside {
                function:
                    Function {
                        role: Role::JoinThread { handle },
                        ..
                    },
                args,
                ..
            } => Some(args[usize::from(handle)]),
            _ => None,
        })
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
            Status::Blocked {
                on: Block::Key { key },
                deadline: None,
            } => Some(BlockedOn::Key { key }),
            _ => None,
        }
    }
}
