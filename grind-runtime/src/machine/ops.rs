//! Operations: what a thread asks of the machine, and how each is carried out.
//!
//! An operation that other threads can observe is a scheduling point: the thread may be suspended with
//! the operation pending, and it is carried out when the thread's turn comes. So an operation and its
//! event are one step, and the order of events is the order in memory.

use super::abi::{Ctx, HostFn};
use super::lock_words::{self, Done};
use super::state::State;
use super::thread::Block;
use super::{PAGE, Trap, atomics, embedded, scopes};
use crate::model::sites::SiteId;
use crate::model::{AtomicKind, EventKind, LimitReached, RangeOrigin, ThreadId, WaitOutcome};
use crate::program::AtomicOp;

/// What a thread asks for, or goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Enter the guest.
    Start,
    /// Call what the driver asked for.
    Called,
    /// Go on after the ring was drained.
    Drained,
    /// Go on after the fuel ran out.
    Refuelled,
    /// Go on with the result of a host call.
    Value(u64),
    Atomic {
        site: SiteId,
        base: u32,
        op: AtomicOp,
        operand: u64,
        expected: u64,
    },
    Wait {
        site: SiteId,
        base: u32,
        expected: u64,
        /// Nanoseconds; negative is forever.
        timeout: i64,
    },
    /// A wait ended.
    Waited {
        site: SiteId,
        addr: u32,
        width: u8,
        outcome: WaitOutcome,
        by: Option<ThreadId>,
    },
    Notify {
        site: SiteId,
        base: u32,
        count: u32,
    },
    Fence {
        site: SiteId,
    },
    /// `memory.size`.
    Size,
    /// `memory.grow`, which the engine carries out.
    Grow {
        pages: u32,
    },
    Host {
        function: &'static HostFn,
        args: Vec<u64>,
    },
    /// A call of a function of the embedder, by its index.
    Embedded {
        import: u32,
        args: Vec<u64>,
    },
    /// A thread this one joined has ended.
    Joined {
        child: ThreadId,
    },
}

/// How the guest goes on after an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// With this result; 0 stands for none.
    Value(u64),
    /// With this result, after others may have run.
    Yield(u64),
    /// When the block is lifted, at the longest until the deadline.
    Block(Block, Option<u64>),
    /// With this, when there is standard input or its end, at the longest after the deadline.
    AwaitInput { deadline: Option<u64>, then: Op },
    /// After a call of this export on the same thread, whose result is appended to the arguments of
    /// the host function, which then runs.
    Call {
        export: &'static str,
        args: Vec<u32>,
        then: &'static HostFn,
        then_args: Vec<u64>,
    },
    /// Not at all.
    Trap(Trap),
    /// Not at all: the thread has ended as if its entry had returned.
    EndThread,
    /// Not at all, nor does any other thread.
    Exit(i32),
}

impl From<Trap> for Reply {
    fn from(trap: Trap) -> Reply {
        Reply::Trap(trap)
    }
}

impl Op {
    /// Whether other threads can observe it, so that they may run before it.
    pub(super) fn is_sync(&self) -> bool {
        match self {
            Op::Atomic { .. } | Op::Wait { .. } | Op::Notify { .. } | Op::Fence { .. } => true,
            Op::Size | Op::Grow { .. } => true,
            Op::Host { function, .. } => function.sync,
            Op::Embedded { .. } => true,
            _ => false,
        }
    }
}

/// Carries an operation of the current thread out.
pub(super) fn execute(state: &mut State, memory: &mut [u8], op: Op) -> Reply {
    match op {
        Op::Start | Op::Called | Op::Drained | Op::Refuelled => Reply::Value(0),
        Op::Value(value) => Reply::Value(value),
        Op::Atomic {
            site,
            base,
            op,
            operand,
            expected,
        } => {
            let (address, width) = locate(state, site, base);
            let access = atomics::Access {
                address,
                width,
                op,
                operand,
                expected,
            };
            match atomics::perform(memory, &access) {
                Ok((value, kind)) => {
                    let addr = address as u32;
                    let done = Done {
                        site,
                        addr,
                        width,
                        kind,
                        old: value,
                    };
                    lock_words::changed(state, memory, done);
                    let in_vain = match kind {
                        AtomicKind::Load => true,
                        AtomicKind::Store => false,
                        AtomicKind::ReadModifyWrite => {
                            atomics::read(memory, addr as usize, width) == value
                        }
                    };
                    let thread = state.thread_mut();
                    thread.in_vain = if in_vain {
                        thread.in_vain.saturating_add(1)
                    } else {
                        0
                    };
                    state.emit(EventKind::Atomic {
                        site,
                        addr,
                        width,
                        kind,
                    });
                    if (kind, width) == (AtomicKind::Load, 4) {
                        scopes::loaded(state, addr, value);
                    }
                    Reply::Value(value)
                }
                Err(trap) => trap_at(state, site, trap),
            }
        }
        Op::Wait {
            site,
            base,
            expected,
            timeout,
        } => wait(state, memory, site, base, expected, timeout),
        Op::Waited {
            site,
            addr,
            width,
            outcome,
            by,
        } => {
            state.emit(EventKind::WaitEnd {
                site,
                addr,
                width,
                outcome,
                by,
            });
            Reply::Value(match outcome {
                WaitOutcome::Woken => 0,
                WaitOutcome::NotEqual => 1,
                WaitOutcome::TimedOut => 2,
            })
        }
        Op::Notify { site, base, count } => {
            let (address, width) = locate(state, site, base);
            match atomics::check(memory, address, width) {
                Ok(at) => notify(state, site, at as u32, count),
                Err(trap) => trap_at(state, site, trap),
            }
        }
        Op::Fence { site } => {
            state.emit(EventKind::Fence { site });
            Reply::Value(0)
        }
        Op::Size => Reply::Value(memory.len() as u64 / PAGE),
        Op::Grow { .. } => unreachable!("the engine grows the memory"),
        Op::Host { function, args } => {
            let reply = (function.run)(&mut Ctx { state, memory }, &args);
            if state.beyond_the_end() {
                Reply::Block(Block::Exited, None)
            } else {
                reply
            }
        }
        Op::Embedded { import, args } => embedded::call(state, memory, import, args),
        Op::Joined { child } => super::abi::joined(&mut Ctx { state, memory }, child),
    }
}

fn locate(state: &State, site: SiteId, base: u32) -> (u64, u8) {
    let site = state.sites.get(site);
    (u64::from(base) + u64::from(site.displacement), site.width)
}

fn trap_at(state: &mut State, site: SiteId, trap: Trap) -> Reply {
    state.thread_mut().trap_site = Some(site);
    Reply::Trap(trap)
}

fn wait(
    state: &mut State,
    memory: &[u8],
    site: SiteId,
    base: u32,
    expected: u64,
    timeout: i64,
) -> Reply {
    let (address, width) = locate(state, site, base);
    let at = match atomics::check(memory, address, width) {
        Ok(at) => at,
        Err(trap) => return trap_at(state, site, trap),
    };
    if !state.shared_memory {
        return trap_at(state, site, Trap::UnsharedWait);
    }
    let addr = at as u32;
    if atomics::read(memory, at, width) != atomics::truncate(expected, width) {
        let outcome = WaitOutcome::NotEqual;
        return execute(
            state,
            &mut [],
            Op::Waited {
                site,
                addr,
                width,
                outcome,
                by: None,
            },
        );
    }
    state.emit(EventKind::WaitBegin { site, addr, width });
    let deadline = u64::try_from(timeout).ok().map(|t| state.clock.after(t));
    state.futexes.wait(addr, state.current);
    Reply::Block(Block::Futex { site, addr, width }, deadline)
}

fn notify(state: &mut State, site: SiteId, addr: u32, count: u32) -> Reply {
    Reply::Value(wake(state, addr, count, |woken| EventKind::Notify {
        site,
        addr,
        woken,
    }))
}

/// The current thread lets threads go on that wait on an address, `count` at most; `event` tells so before they do. Returns how many.
pub(super) fn wake(
    state: &mut State,
    addr: u32,
    count: u32,
    event: impl FnOnce(u32) -> EventKind,
) -> u64 {
    let by = state.current;
    let mut woken = Vec::new();
    // An unshared memory has no waiters, so this returns 0 there as it must.
    while (woken.len() as u64) < u64::from(count)
        && let Some(thread) = state.futexes.wake_one(addr)
    {
        woken.push(thread);
    }
    state.emit(event(woken.len() as u32));
    let count = woken.len() as u64;
    for thread in woken {
        state.end_wait(thread, WaitOutcome::Woken, Some(by));
    }
    count
}

/// `memory.copy` is about to run.
pub(super) fn bulk_copy(
    state: &mut State,
    memory_len: usize,
    site: SiteId,
    dest: u32,
    source: u32,
    len: u32,
) {
    if within(memory_len, dest, len) && within(memory_len, source, len) {
        bulk_range(state, site, source, len, false);
        bulk_range(state, site, dest, len, true);
    } else {
        state.thread_mut().trap_site = Some(site);
    }
}

/// `memory.fill` or `memory.init` is about to run.
pub(super) fn bulk_write(state: &mut State, memory_len: usize, site: SiteId, dest: u32, len: u32) {
    if within(memory_len, dest, len) {
        bulk_range(state, site, dest, len, true);
    } else {
        state.thread_mut().trap_site = Some(site);
    }
}

fn bulk_range(state: &mut State, site: SiteId, addr: u32, len: u32, write: bool) {
    state.accesses(RangeOrigin::Bulk(site), addr, len, write);
}

/// Whether a range lies in a memory of this many bytes.
pub(super) fn within(memory_len: usize, addr: u32, len: u32) -> bool {
    u64::from(addr) + u64::from(len) <= memory_len as u64
}

/// Pages that `memory.grow` may add now, or none if it must fail.
pub(super) fn may_grow(state: &mut State, memory_len: usize, pages: u32) -> bool {
    let wanted = memory_len as u64 + u64::from(pages) * PAGE;
    let allowed = wanted <= state.limits.memory;
    if !allowed {
        state.limits_reached.insert(LimitReached::Memory);
    }
    allowed
}
