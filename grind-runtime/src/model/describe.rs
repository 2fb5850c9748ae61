//! Events in words, one line each, for listings and messages.

use super::event::{
    AtomicKind, BlockedOn, Event, EventKind, HandleMisuse, LockChange, LockMode, ObjectAct,
    RangeOrigin, ThreadEnd, WaitOutcome,
};
use std::fmt::{self, Display, Formatter};

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.thread, self.kind)
    }
}

impl EventKind {
    /// What it is, without its operands; the same words as [`Display`] begins with.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            EventKind::ThreadStart => "thread-start",
            EventKind::ThreadExit(_) => "thread-exit",
            EventKind::ThreadCreate { .. } => "thread-create",
            EventKind::HostWake { .. } => "host-wake",
            EventKind::HostWoken { .. } => "host-woken",
            EventKind::ThreadJoin { .. } => "thread-join",
            EventKind::ThreadJoinable { .. } => "thread-joinable",
            EventKind::ThreadDetach { .. } => "thread-detach",
            EventKind::ThreadName { .. } => "thread-name",
            EventKind::Atomic { kind, .. } => match kind {
                AtomicKind::Load => "atomic-load",
                AtomicKind::Store => "atomic-store",
                AtomicKind::ReadModifyWrite => "atomic-rmw",
            },
            EventKind::HostAtomic { kind, .. } => match kind {
                AtomicKind::Load => "host-atomic-load",
                AtomicKind::Store => "host-atomic-store",
                AtomicKind::ReadModifyWrite => "host-atomic-rmw",
            },
            EventKind::HostNotify { .. } => "host-notify",
            EventKind::Fence { .. } => "fence",
            EventKind::WaitBegin { .. } => "wait-begin",
            EventKind::WaitEnd { .. } => "wait-end",
            EventKind::Notify { .. } => "notify",
            EventKind::Range { write: false, .. } => "range-read",
            EventKind::Range { write: true, .. } => "range-write",
            EventKind::MemoryGrow { .. } => "memory-grow",
            EventKind::LockRequest { .. } => "lock-request",
            EventKind::LockAcquire { .. } => "lock-acquire",
            EventKind::LockFail { .. } => "lock-fail",
            EventKind::LockRelease { .. } => "lock-release",
            EventKind::LockReleased { .. } => "lock-released",
            EventKind::LockDestroy { .. } => "lock-destroy",
            EventKind::CondvarWait { .. } => "condvar-wait",
            EventKind::CondvarWake { .. } => "condvar-wake",
            EventKind::CondvarNotify { .. } => "condvar-notify",
            EventKind::CondvarNotified { .. } => "condvar-notified",
            EventKind::HappensBefore { .. } => "happens-before",
            EventKind::HappensAfter { .. } => "happens-after",
            EventKind::HideBegin => "hide-begin",
            EventKind::HideEnd => "hide-end",
            EventKind::BenignRace { .. } => "benign-race",
            EventKind::LockName { .. } => "lock-name",
            EventKind::Alloc { .. } => "alloc",
            EventKind::Free { .. } => "free",
            EventKind::ThreadStack { .. } => "thread-stack",
            EventKind::Deadlock { .. } => "deadlock",
            EventKind::Stop { .. } => "stop",
            EventKind::ThreadDone { .. } => "thread-done",
            EventKind::LockInit { .. } => "lock-init",
            EventKind::BarrierArrive { .. } => "barrier-arrive",
            EventKind::BarrierLeave { .. } => "barrier-leave",
            EventKind::Panicked { .. } => "panicked",
            EventKind::Object { act, .. } => match act {
                ObjectAct::Init { .. } => "object-init",
                ObjectAct::InitHeld => "object-init-held",
                ObjectAct::Use => "object-use",
                ObjectAct::Relock => "object-relock",
                ObjectAct::Destroy => "object-destroy",
            },
            EventKind::LockNotReleased { .. } => "lock-not-released",
            EventKind::ProcessEnd => "process-end",
            EventKind::CondvarFail { .. } => "condvar-fail",
            EventKind::HandleMisuse { misuse, .. } => match misuse {
                HandleMisuse::DoubleJoin => "double-join",
                HandleMisuse::JoinDetached => "join-detached",
                HandleMisuse::DoubleDetach => "double-detach",
            },
            EventKind::LockWord { change, .. } => match change {
                LockChange::Wanted { .. } => "lock-wanted",
                LockChange::Taken { .. } => "lock-taken",
                LockChange::Left { .. } => "lock-left",
                LockChange::Busy => "lock-busy",
            },
        }
    }
}

impl Display for EventKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            EventKind::ThreadStart
            | EventKind::Fence { .. }
            | EventKind::HideBegin
            | EventKind::HideEnd
            | EventKind::ProcessEnd => Ok(()),
            EventKind::ThreadExit(ThreadEnd::Returned) => f.write_str(" returned"),
            EventKind::ThreadExit(ThreadEnd::Cancelled) => f.write_str(" cancelled"),
            EventKind::ThreadExit(ThreadEnd::Aborted) => f.write_str(" aborted"),
            EventKind::ThreadExit(ThreadEnd::Trapped { reason, .. }) => {
                write!(f, " trapped: {reason}")
            }
            EventKind::ThreadCreate { child }
            | EventKind::ThreadJoin { child }
            | EventKind::ThreadJoinable { child }
            | EventKind::ThreadDetach { child }
            | EventKind::ThreadDone { child }
            | EventKind::HandleMisuse { child, .. } => write!(f, " {child}"),
            EventKind::HostWake { key, woken } => write!(f, " {key} woke {woken}"),
            EventKind::HostWoken { key, by } => {
                write!(f, " {key}")?;
                by.iter().try_for_each(|by| write!(f, " by {by}"))
            }
            EventKind::ThreadName { of, name } => write!(f, " {of} {name:?}"),
            EventKind::Panicked { message } => write!(f, " {message:?}"),
            EventKind::Atomic { addr, width, .. }
            | EventKind::HostAtomic { addr, width, .. }
            | EventKind::WaitBegin { addr, width, .. } => {
                write!(f, " 0x{addr:x}+{width}")
            }
            EventKind::WaitEnd {
                addr,
                width,
                outcome,
                by,
                ..
            } => {
                let outcome = match outcome {
                    WaitOutcome::Woken => "woken",
                    WaitOutcome::NotEqual => "not-equal",
                    WaitOutcome::TimedOut => "timed-out",
                };
                write!(f, " 0x{addr:x}+{width} {outcome}")?;
                by.map_or(Ok(()), |by| write!(f, " by {by}"))
            }
            EventKind::Notify { addr, woken, .. } | EventKind::HostNotify { addr, woken } => {
                write!(f, " 0x{addr:x} woke {woken}")
            }
            EventKind::Range {
                origin, addr, len, ..
            } => {
                let origin = match origin {
                    RangeOrigin::Bulk(_) => "",
                    RangeOrigin::Host => " by the host",
                };
                write!(f, " 0x{addr:x}+{len}{origin}")
            }
            EventKind::MemoryGrow { pages } => write!(f, " to {pages} pages"),
            EventKind::LockRequest {
                lock,
                mode,
                fallible,
            } => {
                let fallible = if *fallible { " fallible" } else { "" };
                write!(f, " 0x{lock:x} {}{fallible}", name_of(*mode))
            }
            EventKind::LockAcquire { lock, mode }
            | EventKind::LockFail { lock, mode }
            | EventKind::LockRelease { lock, mode } => write!(f, " 0x{lock:x} {}", name_of(*mode)),
            EventKind::LockReleased { lock }
            | EventKind::LockDestroy { lock }
            | EventKind::LockInit { lock }
            | EventKind::LockNotReleased { lock } => {
                write!(f, " 0x{lock:x}")
            }
            EventKind::Object { object, kind, act } => {
                write!(f, " {} 0x{object:x}", kind.noun())?;
                match act {
                    ObjectAct::Init { value } if *value > 0 => write!(f, " for {value}"),
                    _ => Ok(()),
                }
            }
            EventKind::CondvarFail { condvar, lock } => {
                write!(f, " 0x{condvar:x} with 0x{lock:x}")
            }
            EventKind::CondvarWait { condvar, lock } => {
                write!(f, " 0x{condvar:x} releasing 0x{lock:x}")
            }
            EventKind::CondvarWake {
                condvar,
                lock,
                timed_out,
            } => {
                let timed_out = if *timed_out { " timed-out" } else { "" };
                write!(f, " 0x{condvar:x} holding 0x{lock:x}{timed_out}")
            }
            EventKind::CondvarNotify { condvar, all } => {
                write!(f, " 0x{condvar:x}{}", if *all { " all" } else { "" })
            }
            EventKind::CondvarNotified { condvar: object }
            | EventKind::BarrierArrive { barrier: object }
            | EventKind::BarrierLeave { barrier: object }
            | EventKind::HappensBefore { object }
            | EventKind::HappensAfter { object } => write!(f, " 0x{object:x}"),
            EventKind::BenignRace { addr, len } | EventKind::Alloc { addr, size: len } => {
                write!(f, " 0x{addr:x}+{len}")
            }
            EventKind::LockName { lock, name } => write!(f, " 0x{lock:x} {name:?}"),
            EventKind::Free { addr } => write!(f, " 0x{addr:x}"),
            EventKind::ThreadStack { low, high } => write!(f, " 0x{low:x}..0x{high:x}"),
            EventKind::Stop { words } => write!(f, " after {words} words"),
            EventKind::LockWord { lock, change, .. } => {
                write!(f, " 0x{lock:x}")?;
                let (mode, fallible) = match *change {
                    LockChange::Wanted { mode } | LockChange::Left { mode } => (mode, false),
                    LockChange::Taken { mode, fallible } => (mode, fallible),
                    LockChange::Busy => return Ok(()),
                };
                let fallible = if fallible { " fallible" } else { "" };
                write!(f, " {}{fallible}", name_of(mode))
            }
            EventKind::Deadlock { blocked } => {
                blocked.iter().try_for_each(|(thread, on)| match on {
                    BlockedOn::Futex { addr, .. } | BlockedOn::Known { addr, .. } => {
                        write!(f, " {thread} on 0x{addr:x}")
                    }
                    BlockedOn::Join { thread: child } => write!(f, " {thread} on {child}"),
                    BlockedOn::Key { key } => write!(f, " {thread} on key {key}"),
                })
            }
        }
    }
}

fn name_of(mode: LockMode) -> &'static str {
    match mode {
        LockMode::Exclusive => "exclusive",
        LockMode::Shared => "shared",
    }
}
