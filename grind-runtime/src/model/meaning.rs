//! What an event means: which bytes it accesses, what it acquires and releases, whom it wakes, and what it does to a lock.
//!
//! This is the only place that says so. The order of events, races and their history, predictions, statistics and pictures all
//! ask here, so that they cannot drift apart. What depends on the events before, above all what is hidden inside of a lock, is
//! [`LockState`](super::locks::LockState)'s.
//!
//! | release | acquire | guaranteed by |
//! |---|---|---|
//! | `ThreadCreate` | the child's first step | every thread API; the host starts the child after the call began |
//! | `ThreadExit` | `ThreadJoin` | every thread API |
//! | atomic store or read-modify-write, the host's as well | atomic load, read-modify-write or wait's comparison that reads a byte of it | WebAssembly threads, memory model: an access that is sequentially consistent and reads from another synchronises with it |
//! | `Notify` or `HostNotify` that woke someone | `WaitEnd` of a thread that it woke | the same: a notify synchronises with the waits that it ends |
//! | `HostWake` that woke someone | `HostWoken` of a thread that it woke | the machine, which lets it go on then |
//! | `LockRelease`, `CondvarWait` | `LockAcquire`, `CondvarWake`; a shared acquire only from exclusive releases | mutual exclusion (POSIX 4.12, C11 7.26.4, Rust's `Mutex` and `RwLock`) |
//! | `BarrierArrive` | `BarrierLeave` of the same round | every barrier |
//! | `HappensBefore` | `HappensAfter` of the same object | POSIX 4.12 for semaphores and once; who annotates |
//!
//! **`atomic.fence` is no edge.** A fence orders only together with atomic accesses to one location on both sides (C++20
//! [atomics.fences]; WebAssembly has it so that compilers can say so), and wasm's atomic accesses are edges by themselves. An edge
//! among fences would order any two threads that drop an `Arc` to zero.

use super::sites::SiteId;
use super::{
    AtomicKind, EventKind, LockChange, LockMode, ObjectAct, RangeOrigin, ThreadId, WaitOutcome,
};

/// Bytes that the use of a synchronisation object is an access to: all kinds have as many at least.
const OBJECT_BYTES: u32 = 4;

/// An access of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Touched {
    /// First byte.
    pub(crate) addr: u32,
    /// Number of bytes; `None` for a block that is freed, whose size the heap knows.
    pub(crate) len: Option<u32>,
    pub(crate) write: bool,
    pub(crate) by: TouchedBy,
    /// The instruction; `None` if it is the call on top of the thread's stack.
    pub(crate) site: Option<SiteId>,
}

/// What makes an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TouchedBy {
    /// An atomic access, or the comparison of a wait.
    Atomic(AtomicKind),
    /// An instruction on a range.
    Bulk,
    /// A host function.
    Host,
    /// A use, or the end, of a synchronisation object.
    Object,
    /// The end of a heap block.
    Free,
}

/// From where an event learns that others were before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acquire {
    /// From the end of a thread.
    Join(ThreadId),
    /// From releases on an object of annotations.
    Object(u32),
    /// From all that came to a round of this barrier.
    Round(u32),
    /// From the atomics that wrote these bytes.
    Bytes { addr: u32, width: u8 },
    /// From who woke it.
    Wake(WokenOn, ThreadId),
    /// From who had the lock.
    Lock { lock: u32, mode: LockMode },
}

/// To where an event tells that it was before others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// To a new thread.
    Create(ThreadId),
    /// To who joins the thread, which ends.
    End,
    /// To acquires on an object of annotations.
    Object(u32),
    /// To all that leave the next round of this barrier.
    Round(u32),
    /// To the atomics that read these bytes.
    Bytes { addr: u32, width: u8 },
    /// To whom it woke.
    Wake(WokenOn),
    /// To who has the lock next.
    Lock { lock: u32, mode: LockMode },
}

impl Acquire {
    /// Whether it counts where what the thread does is hidden: what is inside of a lock or of a library is the lock's own.
    pub(crate) fn counts_hidden(self) -> bool {
        matches!(
            self,
            Acquire::Join(_) | Acquire::Object(_) | Acquire::Round(_)
        )
    }
}

impl Release {
    /// See [`Acquire::counts_hidden`].
    pub(crate) fn counts_hidden(self) -> bool {
        matches!(
            self,
            Release::Create(_) | Release::End | Release::Object(_) | Release::Round(_)
        )
    }
}

/// What a thread waits on and is woken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum WokenOn {
    /// An address, by `memory.atomic.notify`.
    Futex(u32),
    /// A key of the embedder.
    Key(u64),
}

/// What an event does to a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitStep {
    Begin { on: WokenOn },
    End { on: WokenOn, outcome: WaitOutcome },
    Wake { on: WokenOn, woken: u32 },
}

/// What an event does to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockStep {
    /// The thread asks for it.
    Ask { mode: LockMode, fallible: bool },
    /// It asked in vain.
    Fail,
    /// It has it. It only `tried`: had it not been free, it would not have waited. Of hooks, [`LockStep::Ask`] says so.
    Take { mode: LockMode, tried: bool },
    /// It leaves it.
    Leave { mode: LockMode },
}

/// How it is known what is done to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockToldBy {
    /// Hooks, or an intercepted function: the inside is hidden.
    Hooks,
    /// A wait on this condition variable, which gives the lock away and takes it back.
    Condvar { condvar: u32 },
    /// The lock's word: the atomics that do it are visible, and order. The one that does it follows at once, at this site.
    Word { site: Option<SiteId> },
}

/// A [`LockStep`], and of which lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OfLock {
    pub(crate) lock: u32,
    pub(crate) step: LockStep,
    pub(crate) told_by: LockToldBy,
}

impl EventKind {
    /// The bytes that it accesses, if it does.
    #[inline]
    pub(crate) fn touches(&self) -> Option<Touched> {
        let (addr, len, write, by, site) = match *self {
            EventKind::Atomic {
                site,
                addr,
                width,
                kind,
            } => {
                let write = kind != AtomicKind::Load;
                let by = TouchedBy::Atomic(kind);
                (addr, Some(width.into()), write, by, Some(site))
            }
            EventKind::HostAtomic { addr, width, kind } => {
                let write = kind != AtomicKind::Load;
                let by = TouchedBy::Atomic(kind);
                (addr, Some(width.into()), write, by, None)
            }
            EventKind::WaitBegin { site, addr, width }
            | EventKind::WaitEnd {
                site,
                addr,
                width,
                outcome: WaitOutcome::NotEqual,
                ..
            } => {
                let by = TouchedBy::Atomic(AtomicKind::Load);
                (addr, Some(width.into()), false, by, Some(site))
            }
            EventKind::Range {
                origin,
                addr,
                len,
                write,
            } => match origin {
                RangeOrigin::Bulk(site) => (addr, Some(len), write, TouchedBy::Bulk, Some(site)),
                RangeOrigin::Host => (addr, Some(len), write, TouchedBy::Host, None),
            },
            EventKind::Object { object, act, .. } => {
                let write = match act {
                    ObjectAct::Use => false,
                    ObjectAct::Destroy => true,
                    ObjectAct::Init { .. } | ObjectAct::InitHeld | ObjectAct::Relock => {
                        return None;
                    }
                };
                (object, Some(OBJECT_BYTES), write, TouchedBy::Object, None)
            }
            EventKind::Free { addr } => (addr, None, true, TouchedBy::Free, None),
            _ => return None,
        };
        Some(Touched {
            addr,
            len,
            write,
            by,
            site,
        })
    }

    /// Whether it is an atomic access and nothing else: most events of most programs.
    #[inline]
    pub(crate) fn is_atomic_access(&self) -> bool {
        matches!(
            self,
            EventKind::Atomic { .. } | EventKind::HostAtomic { .. }
        )
    }

    /// What it acquires.
    #[inline]
    pub(crate) fn acquires(&self) -> Option<Acquire> {
        Some(match *self {
            EventKind::ThreadJoin { child } => Acquire::Join(child),
            EventKind::HappensAfter { object } => Acquire::Object(object),
            EventKind::BarrierLeave { barrier } => Acquire::Round(barrier),
            EventKind::Atomic {
                addr,
                width,
                kind: AtomicKind::Load | AtomicKind::ReadModifyWrite,
                ..
            }
            | EventKind::HostAtomic {
                addr,
                width,
                kind: AtomicKind::Load | AtomicKind::ReadModifyWrite,
            }
            | EventKind::WaitBegin { addr, width, .. }
            | EventKind::WaitEnd {
                addr,
                width,
                outcome: WaitOutcome::NotEqual,
                ..
            } => Acquire::Bytes { addr, width },
            EventKind::WaitEnd {
                addr,
                outcome: WaitOutcome::Woken,
                by: Some(by),
                ..
            } => Acquire::Wake(WokenOn::Futex(addr), by),
            EventKind::HostWoken { key, by: Some(by) } => Acquire::Wake(WokenOn::Key(key), by),
            EventKind::LockAcquire { lock, mode } => Acquire::Lock { lock, mode },
            EventKind::CondvarWake { lock, .. } => Acquire::Lock {
                lock,
                mode: LockMode::Exclusive,
            },
            _ => return None,
        })
    }

    /// What it releases.
    #[inline]
    pub(crate) fn releases(&self) -> Option<Release> {
        Some(match *self {
            EventKind::ThreadCreate { child } => Release::Create(child),
            EventKind::ThreadExit(_) => Release::End,
            EventKind::HappensBefore { object } => Release::Object(object),
            EventKind::BarrierArrive { barrier } => Release::Round(barrier),
            EventKind::Atomic {
                addr,
                width,
                kind: AtomicKind::Store | AtomicKind::ReadModifyWrite,
                ..
            }
            | EventKind::HostAtomic {
                addr,
                width,
                kind: AtomicKind::Store | AtomicKind::ReadModifyWrite,
            } => Release::Bytes { addr, width },
            EventKind::Notify { addr, woken, .. } | EventKind::HostNotify { addr, woken }
                if woken > 0 =>
            {
                Release::Wake(WokenOn::Futex(addr))
            }
            EventKind::HostWake { key, woken } if woken > 0 => Release::Wake(WokenOn::Key(key)),
            EventKind::LockRelease { lock, mode } => Release::Lock { lock, mode },
            EventKind::CondvarWait { lock, .. } => Release::Lock {
                lock,
                mode: LockMode::Exclusive,
            },
            _ => return None,
        })
    }

    /// What it does to a wait.
    pub(crate) fn waits(&self) -> Option<WaitStep> {
        Some(match *self {
            EventKind::WaitBegin { addr, .. } => WaitStep::Begin {
                on: WokenOn::Futex(addr),
            },
            EventKind::WaitEnd { addr, outcome, .. } => WaitStep::End {
                on: WokenOn::Futex(addr),
                outcome,
            },
            EventKind::HostWoken { key, .. } => WaitStep::End {
                on: WokenOn::Key(key),
                outcome: WaitOutcome::Woken,
            },
            EventKind::Notify { addr, woken, .. } | EventKind::HostNotify { addr, woken } => {
                WaitStep::Wake {
                    on: WokenOn::Futex(addr),
                    woken,
                }
            }
            EventKind::HostWake { key, woken } => WaitStep::Wake {
                on: WokenOn::Key(key),
                woken,
            },
            _ => return None,
        })
    }

    /// What it does to a lock. A lock that is begun, ended or named is as it was to its threads.
    pub(crate) fn locks(&self) -> Option<OfLock> {
        let hooks = LockToldBy::Hooks;
        let (lock, step, told_by) = match *self {
            EventKind::LockRequest {
                lock,
                mode,
                fallible,
            } => (lock, LockStep::Ask { mode, fallible }, hooks),
            EventKind::LockFail { lock, .. } => (lock, LockStep::Fail, hooks),
            EventKind::LockAcquire { lock, mode } => {
                (lock, LockStep::Take { mode, tried: false }, hooks)
            }
            EventKind::LockRelease { lock, mode } => (lock, LockStep::Leave { mode }, hooks),
            EventKind::CondvarWait { condvar, lock } => {
                let mode = LockMode::Exclusive;
                let told_by = LockToldBy::Condvar { condvar };
                (lock, LockStep::Leave { mode }, told_by)
            }
            EventKind::CondvarWake { condvar, lock, .. } => {
                let mode = LockMode::Exclusive;
                let told_by = LockToldBy::Condvar { condvar };
                (lock, LockStep::Take { mode, tried: false }, told_by)
            }
            EventKind::LockWord { lock, site, change } => {
                let step = match change {
                    LockChange::Wanted { mode } => LockStep::Ask {
                        mode,
                        fallible: false,
                    },
                    LockChange::Taken { mode, fallible } => LockStep::Take {
                        mode,
                        tried: fallible,
                    },
                    LockChange::Left { mode } => LockStep::Leave { mode },
                    LockChange::Busy => return None,
                };
                (lock, step, LockToldBy::Word { site })
            }
            _ => return None,
        };
        Some(OfLock {
            lock,
            step,
            told_by,
        })
    }

    /// The condition variable by whose notification a wait ended, as far as its thread knows.
    pub(crate) fn notified(&self) -> Option<u32> {
        match *self {
            EventKind::CondvarWake {
                condvar,
                timed_out: false,
                ..
            } => Some(condvar),
            _ => None,
        }
    }

    /// The address of the word in memory that it is about, if that is all that it is about: an atomic access, a wait or a notification.
    pub(crate) fn word(&self) -> Option<u32> {
        match *self {
            EventKind::Atomic { addr, .. }
            | EventKind::HostAtomic { addr, .. }
            | EventKind::WaitBegin { addr, .. }
            | EventKind::WaitEnd { addr, .. }
            | EventKind::Notify { addr, .. }
            | EventKind::HostNotify { addr, .. } => Some(addr),
            _ => None,
        }
    }

    /// The bytes that a wait which ends had compared.
    pub(crate) fn waited_at(&self) -> Option<(u32, u8)> {
        match *self {
            EventKind::WaitEnd { addr, width, .. } => Some((addr, width)),
            _ => None,
        }
    }
}
