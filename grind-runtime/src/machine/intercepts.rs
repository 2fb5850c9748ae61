//! Intercepted functions: what the machine tells of them in place of what they do.
//!
//! The outermost one counts. Its inside is hidden, and what it means becomes events before and after. Two
//! exceptions: a function that is called back is not inside any more, and memory that an intercepted function
//! takes from the allocator, or gives back, is told of, for others will have it later.

use super::lock_words;
use super::state::State;
use super::thread::Thread;
use crate::program::interceptors::{Role, TextEnd};
use crate::trace::{EventKind, LockMode, RangeOrigin, ThreadId};
use rustc_hash::{FxHashMap, FxHashSet};

/// An intercepted function that a thread is in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame {
    Inside {
        role: Role,
        args: [u32; 4],
    },
    /// What the function below calls is not inside it.
    Callback,
}

/// What outlives a call.
#[derive(Debug, Default)]
pub(super) struct Intercepts {
    /// Who holds a read-write lock exclusively: its unlock function is the same for both modes.
    writers: FxHashMap<u32, ThreadId>,
    /// Threads by the handle that the guest has of them, until they are joined or detached.
    handles: FxHashMap<u32, ThreadId>,
    /// Handles that were given up before the function that created the thread returned: by the new thread itself.
    early: FxHashSet<u32>,
    /// Blocks whose end is not known yet, since a reallocation that fails leaves them alive.
    reallocating: Vec<Reallocating>,
}

impl Intercepts {
    /// The thread that the guest has this handle of.
    pub(super) fn thread_of(&self, handle: u32) -> Option<ThreadId> {
        self.handles.get(&handle).copied()
    }
}

/// A thread is in a function that ends this block if it succeeds.
#[derive(Clone, Copy, Debug)]
struct Reallocating {
    thread: ThreadId,
    block: u32,
    /// Nothing but this function hides what the thread does.
    outermost: bool,
}

/// Threads whose handles are remembered; of further ones, joins are not seen.
const MOST_HANDLES: usize = 1 << 20;

/// Exclusive locks that are held at once; of further ones, the release counts as that of a reader.
const MOST_WRITERS: usize = 1 << 20;

/// ETIMEDOUT of WASI.
const TIMED_OUT: u32 = 73;

/// Bytes from the beginning of wasi-libc's `pthread_attr_t` to its detach state, which is 0 for joinable.
const DETACH_STATE: u32 = 12;

/// The functions that the thread is inside of, innermost first, but for those that hide nothing.
fn inside(state: &State) -> impl Iterator<Item = Role> {
    let frames = state.thread().intercepted.iter().rev();
    let roles = frames.map_while(|frame| match *frame {
        Frame::Inside { role, .. } => Some(role),
        Frame::Callback => None,
    });
    roles.filter(|role| role.hides())
}

/// An intercepted function is entered.
pub(super) fn enter(state: &mut State, role: Role, args: [u32; 4]) {
    if !role.hides() {
        let role = seen(state, role, args);
        let frames = &mut state.thread_mut().intercepted;
        return frames.push(Frame::Inside { role, args });
    }
    let outermost = inside(state).next().is_none();
    let allocates = role.allocates() && !inside(state).any(Role::allocates);
    state
        .thread_mut()
        .intercepted
        .push(Frame::Inside { role, args });
    let arg = |position: u8| args[usize::from(position)];
    match role {
        Role::Free { block } if allocates && arg(block) != 0 => {
            state.emit(EventKind::Free { addr: arg(block) });
        }
        Role::Reallocate { block, .. } if allocates && arg(block) != 0 => {
            let (thread, block) = (state.current, arg(block));
            state.intercepts.reallocating.push(Reallocating {
                thread,
                block,
                outermost,
            });
        }
        _ => {}
    }
    if !outermost {
        return;
    }
    let event = match role {
        Role::Lock {
            lock,
            shared,
            fallible,
        } => EventKind::LockRequest {
            lock: arg(lock),
            mode: mode(shared),
            fallible,
        },
        Role::Unlock { lock } => {
            let lock = arg(lock);
            let writer = state.intercepts.writers.remove(&lock);
            EventKind::LockRelease {
                lock,
                mode: mode(writer.is_none()),
            }
        }
        Role::CondvarWait { condvar, lock } => EventKind::CondvarWait {
            condvar: arg(condvar),
            lock: arg(lock),
        },
        Role::CondvarNotify { condvar, all } => EventKind::CondvarNotify {
            condvar: arg(condvar),
            all,
        },
        _ => {
            match role {
                Role::DestroyLock { lock } => {
                    state.emit(EventKind::LockDestroy { lock: arg(lock) });
                }
                Role::Barrier { barrier } => {
                    let barrier = arg(barrier);
                    state.emit(EventKind::BarrierArrive { barrier });
                }
                Role::Release { object } => {
                    let object = arg(object);
                    state.emit(EventKind::HappensBefore { object });
                }
                _ => {}
            }
            EventKind::HideBegin
        }
    };
    state.emit(event);
}

/// A function is entered that hides nothing. Returns what it does with these arguments.
fn seen(state: &mut State, role: Role, args: [u32; 4]) -> Role {
    let arg = |position: u8| args[usize::from(position)];
    match role {
        Role::EnterScope { scope } => state.thread_mut().scope = Some(arg(scope)),
        Role::VisibleBarrier { barrier } => state.emit(EventKind::BarrierArrive {
            barrier: arg(barrier),
        }),
        Role::InitLock { lock } if inside(state).next().is_none() => {
            let lock = arg(lock);
            state.intercepts.writers.remove(&lock);
            state.emit(EventKind::LockInit { lock });
        }
        _ => return lock_words::enter(state, role, args),
    }
    role
}

/// An intercepted function returns.
pub(super) fn leave(state: &mut State, memory: &[u8], result: u32) {
    let Some(Frame::Inside { role, args }) = state.thread_mut().intercepted.pop() else {
        return;
    };
    if !role.hides() {
        return match role {
            Role::VisibleBarrier { barrier } => state.emit(EventKind::BarrierLeave {
                barrier: args[usize::from(barrier)],
            }),
            _ => lock_words::leave(state, memory, role, args),
        };
    }
    let outermost = inside(state).next().is_none();
    let allocates = role.allocates() && !inside(state).any(Role::allocates);
    if outermost {
        left(state, memory, role, args, result);
    }
    if !allocates {
        return;
    }
    if let Role::Reallocate { size, .. } = role {
        // To make a block empty is to free it, and then there may be no other.
        reallocated(state, result != 0 || args[usize::from(size)] == 0);
    }
    if let Some((addr, size)) = allocated(memory, role, args, result) {
        if !state.intercepts.reallocating.is_empty() {
            taken_over(state, addr, size);
        }
        lock_words::forget(state, addr, size);
        state.emit(EventKind::Alloc { addr, size });
    }
}

/// The current thread's reallocation returned: only now it is known whether the old block has ended.
fn reallocated(state: &mut State, success: bool) {
    let thread = state.current;
    let pending = &mut state.intercepts.reallocating;
    let Some(at) = pending.iter().rposition(|one| one.thread == thread) else {
        return;
    };
    let block = pending.remove(at).block;
    if success {
        state.emit(EventKind::Free { addr: block });
    }
}

/// These bytes are a new block. Those that another thread's reallocation is about to end have ended, then, and
/// in this order.
fn taken_over(state: &mut State, addr: u32, size: u32) {
    let covered = |one: &Reallocating| one.block.wrapping_sub(addr) < size.max(1);
    let pending = std::mem::take(&mut state.intercepts.reallocating);
    let (ended, alive): (Vec<_>, Vec<_>) = pending.into_iter().partition(covered);
    state.intercepts.reallocating = alive;
    for one in ended {
        let gone = state.get(one.thread).is_none_or(Thread::ended);
        if gone {
            continue;
        }
        // Shown where it is called, and not as a part of the function's inside.
        let hides = [EventKind::HideEnd, EventKind::HideBegin];
        let [before, after] = hides.map(|kind| one.outermost.then_some(kind));
        let free = EventKind::Free { addr: one.block };
        for kind in before.into_iter().chain([free]).chain(after) {
            state.emit_for(one.thread, kind);
        }
    }
}

/// What an outermost function tells when it returns.
fn left(state: &mut State, memory: &[u8], role: Role, args: [u32; 4], result: u32) {
    let arg = |position: u8| args[usize::from(position)];
    let success = result == 0;
    match role {
        Role::Lock { lock, shared, .. } => {
            let (lock, mode) = (arg(lock), mode(shared));
            if success && !shared && state.intercepts.writers.len() < MOST_WRITERS {
                let thread = state.current;
                state.intercepts.writers.insert(lock, thread);
            }
            state.emit(if success {
                EventKind::LockAcquire { lock, mode }
            } else {
                EventKind::LockFail { lock, mode }
            });
        }
        Role::Unlock { lock } => state.emit(EventKind::LockReleased { lock: arg(lock) }),
        Role::CondvarWait { condvar, lock } => {
            let (condvar, lock) = (arg(condvar), arg(lock));
            let thread = state.current;
            state.intercepts.writers.insert(lock, thread);
            state.emit(EventKind::CondvarWake {
                condvar,
                lock,
                timed_out: result == TIMED_OUT,
            });
        }
        Role::CondvarNotify { condvar, .. } => state.emit(EventKind::CondvarNotified {
            condvar: arg(condvar),
        }),
        _ => state.emit(EventKind::HideEnd),
    }
    match role {
        Role::Barrier { barrier } => {
            let barrier = arg(barrier);
            state.emit(EventKind::BarrierLeave { barrier });
        }
        Role::Once { control: object } => state.emit(EventKind::HappensAfter {
            object: arg(object),
        }),
        Role::Text {
            reads,
            writes,
            end,
            limit,
        } => {
            let (from, to) = (arg(reads), writes.map(arg));
            let (read, written) = text_bytes(end, from, to, limit.map(arg), result);
            accessed(state, memory, from, read, false);
            if let Some(to) = to {
                accessed(state, memory, to, written, true);
            }
        }
        Role::Acquire { object } if success => state.emit(EventKind::HappensAfter {
            object: arg(object),
        }),
        Role::CreateThread { handle, attributes } if success => {
            let child = state.thread_mut().last_child.take();
            let handle = word(memory, arg(handle));
            let attributes = arg(attributes);
            let detached =
                attributes != 0 && word(memory, attributes.saturating_add(DETACH_STATE)) != Some(0);
            // Of a detached thread nobody has a handle, and another will have its address.
            if let (Some(child), Some(handle)) = (child, handle)
                && !detached
                && state.intercepts.handles.len() < MOST_HANDLES
                && !state.intercepts.early.remove(&handle)
            {
                state.intercepts.handles.insert(handle, child);
                state.emit(EventKind::ThreadJoinable { child });
            }
        }
        Role::JoinThread { handle } if success => {
            if let Some(child) = given_up(state, arg(handle)) {
                state.emit(EventKind::ThreadJoin { child });
            }
        }
        Role::DetachThread { handle } if success => {
            if let Some(child) = given_up(state, arg(handle)) {
                state.emit(EventKind::ThreadDetach { child });
            }
        }
        _ => {}
    }
}

/// How many bytes of a string were read, and written if it was copied.
fn text_bytes(
    end: TextEnd,
    from: u32,
    to: Option<u32>,
    limit: Option<u32>,
    result: u32,
) -> (u32, u32) {
    let most = limit.unwrap_or(u32::MAX);
    let base = to.unwrap_or(from);
    let found = |behind: u32| match result {
        0 => most,
        _ => result.wrapping_sub(base).saturating_add(behind).min(most),
    };
    match end {
        TextEnd::Length => {
            let all = result.saturating_add(1);
            // A copy's length is that of the whole string, wherever the limit is.
            let read = if to.is_some() { all } else { all.min(most) };
            (read, all.min(most))
        }
        TextEnd::Last => (found(1), found(1)),
        TextEnd::Padded => (found(1), most),
        TextEnd::Behind => (found(0), found(0)),
    }
}

/// The part of these bytes that is in memory: a guest's own function can have the name and mean something else.
fn accessed(state: &mut State, memory: &[u8], addr: u32, len: u32, write: bool) {
    let room = memory.len().saturating_sub(addr as usize);
    let len = len.min(u32::try_from(room).unwrap_or(u32::MAX));
    if len > 0 {
        state.emit(EventKind::Range {
            origin: RangeOrigin::Host,
            addr,
            len,
            write,
        });
    }
}

/// The thread of a handle that nobody has any more.
fn given_up(state: &mut State, handle: u32) -> Option<ThreadId> {
    let child = state.intercepts.handles.remove(&handle);
    if child.is_none() && state.intercepts.early.len() < MOST_HANDLES {
        state.intercepts.early.insert(handle);
    }
    child
}

/// The block that an allocation function returned.
fn allocated(memory: &[u8], role: Role, args: [u32; 4], result: u32) -> Option<(u32, u32)> {
    let arg = |position: u8| args[usize::from(position)];
    let (addr, size) = match role {
        Role::Allocate { size, times } => (result, arg(size).saturating_mul(times.map_or(1, arg))),
        Role::AllocateInto { out, size } if result == 0 => (word(memory, arg(out))?, arg(size)),
        Role::Reallocate { size, .. } => (result, arg(size)),
        _ => return None,
    };
    (addr != 0).then_some((addr, size))
}

/// An intercepted function calls the guest's own code, or that returned.
pub(super) fn callback(state: &mut State, begins: bool) {
    if begins {
        let hidden = hidden(state);
        state.thread_mut().intercepted.push(Frame::Callback);
        if hidden {
            state.emit(EventKind::HideEnd);
        }
        return;
    }
    state.thread_mut().intercepted.pop();
    if let Some(&Frame::Inside {
        role: Role::Once { control },
        args,
    }) = state.thread().intercepted.last()
    {
        let object = args[usize::from(control)];
        state.emit(EventKind::HappensBefore { object });
    }
    if hidden(state) {
        state.emit(EventKind::HideBegin);
    }
}

/// Whether the outermost function that the thread is inside of is hidden by events of its own: hooks of locks and
/// condition variables hide by themselves.
fn hidden(state: &State) -> bool {
    use Role::{CondvarNotify, CondvarWait, Lock, Unlock};
    !matches!(
        inside(state).last(),
        None | Some(Lock { .. } | Unlock { .. } | CondvarWait { .. } | CondvarNotify { .. })
    )
}

fn mode(shared: bool) -> LockMode {
    if shared {
        LockMode::Shared
    } else {
        LockMode::Exclusive
    }
}

fn word(memory: &[u8], addr: u32) -> Option<u32> {
    let bytes = memory.get(addr as usize..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}
