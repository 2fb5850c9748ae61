//! The vocabulary of a run: what threads did, in memory order.
//!
//! Plain accesses and calls are [`Record`]s, delivered in batches of one thread; everything else is an
//! [`Event`]. The machine delivers a thread's records before any later event of that thread and before
//! any thread switch, so the order of deliveries is the order in memory.

use super::{Records, Waiting};
use crate::model::sites::{SiteId, SiteTable};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A thread of the run, numbered from 0 (the main thread) in order of creation. Never reused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct ThreadId(pub u32);

impl std::fmt::Display for ThreadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "T{}", self.0)
    }
}

/// A plain access, a call, a return, or the bounds of a hidden function.
///
/// The low half is the address operand (without the site's displacement; meaningless for calls), the
/// high half the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Record(pub u64);

impl Record {
    /// A record of `site` with the address operand `base`.
    #[inline]
    #[must_use]
    pub fn new(base: u32, site: SiteId) -> Self {
        Record(u64::from(base) | u64::from(site.0) << 32)
    }

    /// Address operand, before the site's displacement is added.
    #[inline]
    #[must_use]
    pub fn base(self) -> u32 {
        self.0 as u32
    }

    /// Where it happened.
    #[inline]
    #[must_use]
    pub fn site(self) -> SiteId {
        SiteId((self.0 >> 32) as u32)
    }
}

/// How a lock is held or asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LockMode {
    /// Excludes everyone.
    Exclusive,
    /// Excludes exclusive holders only.
    Shared,
}

/// What happened to a lock that is a word in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LockChange {
    /// The thread asks for it, and waits until it has it.
    Wanted {
        /// How.
        mode: LockMode,
    },
    /// The thread has it.
    Taken {
        /// How.
        mode: LockMode,
        /// Whether the attempt could fail: such a one adds no lock-order edge.
        fallible: bool,
    },
    /// The thread has it no longer.
    Left {
        /// How it had it.
        mode: LockMode,
    },
    /// An instruction that takes it where it is free did not: the thread asks for it next.
    Busy,
}

/// What an atomic access did to memory. Wasm atomics are sequentially consistent, so every one that
/// reads acquires and every one that writes releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AtomicKind {
    /// Load, or a compare-exchange that failed: reads only.
    Load,
    /// Store: writes only.
    Store,
    /// Read-modify-write, or a compare-exchange that succeeded.
    ReadModifyWrite,
}

/// How a `memory.atomic.wait` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WaitOutcome {
    /// A notify woke it (result 0).
    Woken,
    /// The value was not the expected one; it did not wait (result 1).
    NotEqual,
    /// The deadline passed (result 2).
    TimedOut,
}

/// How a thread ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ThreadEnd {
    /// Its entry function returned.
    Returned,
    /// It trapped.
    Trapped {
        /// Why, as the engine words it.
        reason: String,
        /// The trapping instruction, where it is known; its frame is then not on the call stack.
        site: Option<SiteId>,
    },
    /// The run ended while it was alive.
    Cancelled,
    /// The driver of the machine ended it. Locks that it had stay taken.
    Aborted,
}

/// What a blocked thread waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BlockedOn {
    /// `memory.atomic.wait` on this address, without a deadline.
    Futex {
        /// Where it waits.
        site: SiteId,
        /// Address waited on.
        addr: u32,
    },
    /// The end of a thread.
    Join {
        /// The thread waited for.
        thread: ThreadId,
    },
    /// The same as `Futex`, within a function that is known to wait for something.
    Known {
        /// Where it waits.
        site: SiteId,
        /// Address waited on.
        addr: u32,
        /// What the function waits for.
        waiting: Waiting,
    },
    /// Somebody who wakes those that wait for this key, in a function of the embedder.
    Key {
        /// The embedder's own number for it.
        key: u64,
    },
}

impl BlockedOn {
    /// The instruction that it waits at, and the address that it waits on, unless it joins.
    #[must_use]
    pub fn futex(&self) -> Option<(SiteId, u32)> {
        match *self {
            BlockedOn::Futex { site, addr } | BlockedOn::Known { site, addr, .. } => {
                Some((site, addr))
            }
            BlockedOn::Join { .. } | BlockedOn::Key { .. } => None,
        }
    }
}

/// What kind of synchronisation object of POSIX threads it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ObjectKind {
    /// `pthread_mutex_t`.
    Mutex,
    /// `pthread_rwlock_t`.
    RwLock,
    /// `pthread_spinlock_t`.
    Spinlock,
    /// `pthread_cond_t`.
    Condvar,
    /// `pthread_barrier_t`.
    Barrier,
    /// `sem_t`.
    Semaphore,
    /// `pthread_once_t`.
    Once,
}

impl ObjectKind {
    /// Whether it is a lock.
    #[must_use]
    pub fn is_lock(self) -> bool {
        matches!(
            self,
            ObjectKind::Mutex | ObjectKind::RwLock | ObjectKind::Spinlock
        )
    }

    /// What it is called in a sentence: `condition variable`.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            ObjectKind::Mutex => "mutex",
            ObjectKind::RwLock => "read-write lock",
            ObjectKind::Spinlock => "spinlock",
            ObjectKind::Condvar => "condition variable",
            ObjectKind::Barrier => "barrier",
            ObjectKind::Semaphore => "semaphore",
            ObjectKind::Once => "once control",
        }
    }
}

/// What a thread does to a synchronisation object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectAct {
    /// It began the object's life.
    Init {
        /// The number of threads that a barrier is for, or the value of a semaphore; otherwise 0.
        value: u32,
    },
    /// It is about to begin the life of a lock that somebody holds.
    InitHeld,
    /// It is about to use the object. This reads the object's memory.
    Use,
    /// It asks for a lock that it holds, and will wait for itself or was refused.
    Relock,
    /// It ended the object's life. This writes the object's memory.
    Destroy,
}

/// What a thread does to the handle of a thread that nobody may use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HandleMisuse {
    /// It joins a thread that was joined.
    DoubleJoin,
    /// It joins a thread that was detached.
    JoinDetached,
    /// It detaches a thread that was joined or detached.
    DoubleDetach,
}

/// Who made a range access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RangeOrigin {
    /// `memory.copy`, `memory.fill` or `memory.init` at this site.
    Bulk(SiteId),
    /// A host function, on behalf of the thread, or a function of a library whose inside is hidden; its call is on top of
    /// the thread's stack.
    Host,
}

/// Anything a thread did beyond plain accesses and calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Event {
    /// Who did it.
    pub thread: ThreadId,
    /// What.
    pub kind: EventKind,
}

/// See [`Event`].
///
/// Events that come from a host call find that call's site on top of the thread's call stack (a
/// [`SiteKind::Call`](crate::model::sites::SiteKind::Call) record precedes it).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// The thread runs its first instruction; its parent's [`EventKind::ThreadCreate`] came before.
    ThreadStart,
    /// The thread ended.
    ThreadExit(ThreadEnd),
    /// The thread created `child`: everything so far happens before everything in `child`.
    ThreadCreate {
        /// The new thread.
        child: ThreadId,
    },
    /// The thread learned that `child` ended (join, or a query answered yes): everything in `child`
    /// happens before what follows.
    ThreadJoin {
        /// The ended thread.
        child: ThreadId,
    },
    /// Somebody has to join `child`, or detach it.
    ThreadJoinable {
        /// The thread.
        child: ThreadId,
    },
    /// Nobody will join `child`.
    ThreadDetach {
        /// The thread let go.
        child: ThreadId,
    },
    /// `of` is called `name` from now on.
    ThreadName {
        /// The named thread.
        of: ThreadId,
        /// Its name.
        name: String,
    },

    /// Atomic access, performed now.
    Atomic {
        /// Where.
        site: SiteId,
        /// Effective address.
        addr: u32,
        /// Bytes: 1, 2, 4 or 8.
        width: u8,
        /// What it did.
        kind: AtomicKind,
    },
    /// `atomic.fence`.
    Fence {
        /// Where.
        site: SiteId,
    },
    /// The thread begins to wait on a futex (it compared equal). The load it did is part of this event.
    WaitBegin {
        /// Where.
        site: SiteId,
        /// Effective address.
        addr: u32,
        /// Bytes compared: 4 or 8.
        width: u8,
    },
    /// The wait is over. With [`WaitOutcome::NotEqual`] there was no [`EventKind::WaitBegin`], and the
    /// load is part of this event.
    WaitEnd {
        /// Where.
        site: SiteId,
        /// Effective address.
        addr: u32,
        /// Bytes compared: 4 or 8.
        width: u8,
        /// How it ended.
        outcome: WaitOutcome,
        /// Who woke it.
        by: Option<ThreadId>,
    },
    /// `memory.atomic.notify`, before those it wakes continue.
    Notify {
        /// Where.
        site: SiteId,
        /// Effective address.
        addr: u32,
        /// How many waiters it woke.
        woken: u32,
    },

    /// An access to a range of bytes, performed now. `len` may be 0.
    Range {
        /// On whose account.
        origin: RangeOrigin,
        /// First byte.
        addr: u32,
        /// Number of bytes.
        len: u32,
        /// Whether it writes.
        write: bool,
    },
    /// The memory grew to this many pages of 64 KiB.
    MemoryGrow {
        /// New size in pages.
        pages: u32,
    },

    /// The thread asks for a lock; what its locking code does inside is hidden until it has it.
    LockRequest {
        /// Address of the lock.
        lock: u32,
        /// How.
        mode: LockMode,
        /// Whether the attempt can fail (try and timed variants): such a one adds no lock-order edge.
        fallible: bool,
    },
    /// The thread now holds the lock.
    LockAcquire {
        /// Address of the lock.
        lock: u32,
        /// How.
        mode: LockMode,
    },
    /// A fallible attempt ended without the lock.
    LockFail {
        /// Address of the lock.
        lock: u32,
        /// How.
        mode: LockMode,
    },
    /// The thread is about to release the lock (logged before the real release); hidden until
    /// [`EventKind::LockReleased`].
    LockRelease {
        /// Address of the lock.
        lock: u32,
        /// How.
        mode: LockMode,
    },
    /// The release is complete.
    LockReleased {
        /// Address of the lock.
        lock: u32,
    },
    /// The lock ends its life.
    LockDestroy {
        /// Address of the lock.
        lock: u32,
    },
    /// Condition variable: the thread releases `lock` and waits; hidden until
    /// [`EventKind::CondvarWake`].
    CondvarWait {
        /// Address of the condition variable.
        condvar: u32,
        /// Address of the lock.
        lock: u32,
    },
    /// The wait ended and the thread holds `lock` again.
    CondvarWake {
        /// Address of the condition variable.
        condvar: u32,
        /// Address of the lock.
        lock: u32,
        /// Whether the deadline passed.
        timed_out: bool,
    },
    /// The thread notifies a condition variable; hidden until [`EventKind::CondvarNotified`].
    CondvarNotify {
        /// Address of the condition variable.
        condvar: u32,
        /// Whether it wakes all.
        all: bool,
    },
    /// The notification is complete.
    CondvarNotified {
        /// Address of the condition variable.
        condvar: u32,
    },
    /// Releases on `object`: what came before it happens before a later [`EventKind::HappensAfter`] on
    /// it. Annotations, once and barrier hooks become these.
    HappensBefore {
        /// Address that stands for the edge.
        object: u32,
    },
    /// Acquires on `object`.
    HappensAfter {
        /// Address that stands for the edge.
        object: u32,
    },

    /// What follows in this thread is not checked and makes no edges, until the matching
    /// [`EventKind::HideEnd`]. Nests.
    HideBegin,
    /// See [`EventKind::HideBegin`].
    HideEnd,
    /// Races within these bytes are wanted.
    BenignRace {
        /// First byte.
        addr: u32,
        /// Number of bytes.
        len: u32,
    },
    /// A lock is called `name` from now on.
    LockName {
        /// Address of the lock.
        lock: u32,
        /// Its name.
        name: String,
    },

    /// An allocation function returned this block: its bytes are new, no earlier access concerns them.
    Alloc {
        /// First byte.
        addr: u32,
        /// Number of bytes.
        size: u32,
    },
    /// The block at `addr` is about to be freed.
    Free {
        /// First byte, as it was allocated.
        addr: u32,
    },

    /// The stack of the thread takes up these bytes, or more below: told before another thread can reach them.
    ThreadStack {
        /// First byte.
        low: u32,
        /// Behind the last byte.
        high: u32,
    },

    /// Every live thread is blocked without a deadline. `thread` is the lowest of them.
    Deadlock {
        /// Who waits for what, by thread id.
        blocked: Vec<(ThreadId, BlockedOn)>,
    },

    /// The run is ended from outside: by a time-out, or by the sink.
    Stop {
        /// Words of records delivered before it.
        words: u64,
    },

    /// What happens to a lock that is a word in memory, told by the word: besides the atomic instructions that do it, the
    /// next of which follows at once where there is a site. It hides nothing and orders nothing.
    LockWord {
        /// Address of the lock.
        lock: u32,
        /// The atomic instruction, if that is not a function of the lock whose call is on top of the thread's stack, or
        /// something another thread did.
        site: Option<SiteId>,
        /// What.
        change: LockChange,
    },
    /// The thread has waited until `child` was done with what it was created for, and knows so in every schedule. Other
    /// than after a join, `child` may still be at its own end. It orders nothing, for the atomics do.
    ThreadDone {
        /// The thread waited for.
        child: ThreadId,
    },
    /// The lock begins its life, whatever was there before.
    LockInit {
        /// Address of the lock.
        lock: u32,
    },
    /// The thread comes to a barrier. It orders nothing: other events do, or the atomics of a barrier that is visible.
    BarrierArrive {
        /// Address of the barrier.
        barrier: u32,
    },
    /// The thread leaves a barrier, to which all others of its round have come: in every schedule, if no more threads
    /// use it than it waits for. It orders nothing, either.
    BarrierLeave {
        /// Address of the barrier.
        barrier: u32,
    },
    /// The thread ends itself by a trap, which is its next event, and has told standard error why.
    Panicked {
        /// What it wrote.
        message: String,
    },
    /// What a function whose inside is hidden does to a synchronisation object, besides the events that say what that means
    /// to others.
    Object {
        /// Address of the object.
        object: u32,
        /// What it is.
        kind: ObjectKind,
        /// What is done to it.
        act: ObjectAct,
    },
    /// The thread tried to release a lock that it does not hold, and was refused: everything stays as it was.
    LockNotReleased {
        /// Address of the lock.
        lock: u32,
    },
    /// A wait that began with [`EventKind::CondvarWait`] was refused: the thread has the lock as it had it before.
    CondvarFail {
        /// Address of the condition variable.
        condvar: u32,
        /// Address of the lock.
        lock: u32,
    },
    /// The thread uses the handle of a thread that has been given up.
    HandleMisuse {
        /// The thread that the handle was of.
        child: ThreadId,
        /// What it does.
        misuse: HandleMisuse,
    },
    /// The thread ended the process: what threads do from here on is only observed.
    ProcessEnd,
    /// In a function of the embedder, the thread wakes threads that wait in one.
    HostWake {
        /// What they wait for: a number of the embedder.
        key: u64,
        /// How many it woke.
        woken: u32,
    },
    /// A thread that waited in a function of the embedder goes on, for somebody woke it. With `by`, everything up to that one's
    /// [`EventKind::HostWake`] happens before what follows.
    HostWoken {
        /// What it waited for.
        key: u64,
        /// Who woke it, if that was a thread of the guest.
        by: Option<ThreadId>,
    },
    /// An atomic access of the host, as the main thread that it stands for, performed now. There is no instruction.
    HostAtomic {
        /// First byte.
        addr: u32,
        /// Bytes: 1, 2, 4 or 8.
        width: u8,
        /// What it did.
        kind: AtomicKind,
    },
    /// The host notifies, as the main thread that it stands for, before those it wakes continue.
    HostNotify {
        /// Address waited on.
        addr: u32,
        /// How many waiters it woke.
        woken: u32,
    },
}

impl EventKind {
    /// The instruction it is of, where that is not the call on top of the thread's stack.
    #[must_use]
    pub fn site(&self) -> Option<SiteId> {
        match *self {
            EventKind::Atomic { site, .. }
            | EventKind::Fence { site }
            | EventKind::WaitBegin { site, .. }
            | EventKind::WaitEnd { site, .. }
            | EventKind::Notify { site, .. }
            | EventKind::Range {
                origin: RangeOrigin::Bulk(site),
                ..
            } => Some(site),
            EventKind::ThreadExit(ThreadEnd::Trapped { site, .. })
            | EventKind::LockWord { site, .. } => site,
            _ => None,
        }
    }
}

/// Whether the run goes on after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// End the run now (for example: a first finding, and the user asked to halt on it).
    Halt,
}

/// Takes what the machine observes. It cannot change guest state or the schedule; it can only end the run.
pub trait EventSink: Send + std::any::Any {
    /// Records of one thread, in program order, oldest first.
    fn records(&mut self, thread: ThreadId, records: Records<'_>) -> Flow;

    /// One event.
    fn event(&mut self, event: &Event) -> Flow;

    /// The program was extended: sites up to now are the same in these, and there are more.
    fn sites(&mut self, _: &Arc<SiteTable>) {}
}

/// Drops everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullSink;

impl EventSink for NullSink {
    fn records(&mut self, _: ThreadId, _: Records<'_>) -> Flow {
        Flow::Continue
    }

    fn event(&mut self, _: &Event) -> Flow {
        Flow::Continue
    }
}
