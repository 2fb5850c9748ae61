//! Intercepted functions: what the machine tells of them in place of what they do.
//!
//! The outermost one counts. Its inside is hidden, and what it means becomes events before and after. Two
//! exceptions: a function that is called back is not inside any more, and memory that an intercepted function
//! takes from the allocator, or gives back, is told of, for others will have it later.

use super::handles::{self, Handles};
use super::holders::{self, Holders};
use super::state::State;
use super::thread::Thread;
use super::{lock_words, names, stdio, waits};
use crate::model::{EventKind, LockMode, ObjectAct, ObjectKind, RangeOrigin, ThreadId};
use crate::program::Program;
use crate::program::interceptors::{Interceptor, Role, TextEnd};
use rustc_hash::FxHashMap;

/// An intercepted function that a thread is in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame {
    Inside {
        function: Function,
        args: [u32; 4],
        /// What it releases was not told: whether it does is known when it returns.
        withheld: bool,
    },
    /// What the function below calls is not inside it.
    Callback {
        /// The element of the table that it calls.
        element: u32,
    },
}

/// An intercepted function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Function {
    pub(super) role: Role,
    /// The object of POSIX threads that it is of.
    pub(super) object: Option<ObjectKind>,
}

impl From<&Interceptor> for Function {
    fn from(interceptor: &Interceptor) -> Function {
        let Interceptor { role, object, .. } = *interceptor;
        Function { role, object }
    }
}

/// What outlives a call.
#[derive(Debug, Default)]
pub(super) struct Intercepts {
    /// The functions of the program, by number among those that are not imported.
    functions: FxHashMap<u32, Function>,
    pub(super) holders: Holders,
    pub(super) handles: Handles,
    /// Blocks whose end is not known yet, since a reallocation that fails leaves them alive.
    reallocating: Vec<Reallocating>,
}

impl Intercepts {
    pub(super) fn new(program: &Program) -> Intercepts {
        let mut intercepts = Intercepts::default();
        intercepts.know(program);
        intercepts
    }

    /// Learns the functions of a program, or of one that extends it.
    pub(super) fn know(&mut self, program: &Program) {
        let imported = program.info().imported_functions;
        let functions = program.interceptors().iter();
        self.functions = functions
            .map(|(index, interceptor)| (index - imported, Function::from(interceptor)))
            .collect();
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

/// Numbers of errors of WASI.
mod errno {
    pub(super) const DEADLOCK: u32 = 16;
    pub(super) const TIMED_OUT: u32 = 73;
}

/// Bytes from the beginning of wasi-libc's `pthread_attr_t` to its detach state, which is 0 for joinable.
const DETACH_STATE: u32 = 12;

/// The functions that the thread is inside of, innermost first, but for those that hide nothing.
fn inside(state: &State) -> impl Iterator<Item = Role> {
    let frames = state.thread().intercepted.iter().rev();
    let roles = frames.map_while(|frame| match *frame {
        Frame::Inside { function, .. } => Some(function.role),
        Frame::Callback { .. } => None,
    });
    roles.filter(|role| role.hides())
}

/// The current thread enters the function of this number.
pub(super) fn enter_index(state: &mut State, memory: &[u8], index: u32, args: [u32; 4]) {
    const HIDDEN: Function = Function {
        role: Role::Hide { callbacks: false },
        object: None,
    };
    let known = state.intercepts.functions.get(&index).copied();
    enter(state, memory, known.unwrap_or(HIDDEN), args);
}

/// An intercepted function is entered.
fn enter(state: &mut State, memory: &[u8], function: Function, mut args: [u32; 4]) {
    let Function { role, object } = function;
    waits::enter(state, memory, role, &mut args);
    names::enter(state, memory, role, args);
    let frame = |withheld| Frame::Inside {
        function,
        args,
        withheld,
    };
    if !role.hides() {
        let role = seen(state, memory, function, args);
        let frames = &mut state.thread_mut().intercepted;
        return frames.push(Frame::Inside {
            function: Function { role, object },
            args,
            withheld: false,
        });
    }
    let outermost = inside(state).next().is_none();
    let allocates = role.allocates() && !inside(state).any(Role::allocates);
    let withheld = outermost && withholds(state, memory, function, args);
    state.thread_mut().intercepted.push(frame(withheld));
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
    if let Some(kind) = object {
        uses(state, memory, (kind, role), args);
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
        Role::Unlock { lock } if !withheld => release(state, arg(lock)),
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
                Role::Barrier { barrier } => {
                    let barrier = arg(barrier);
                    state.emit(EventKind::BarrierArrive { barrier });
                }
                Role::Release { object } if !withheld => {
                    let object = arg(object);
                    state.emit(EventKind::HappensBefore { object });
                }
                Role::CreateThread { attributes, .. } => {
                    let given = arg(attributes) != 0;
                    state.intercepts.handles.create(given);
                }
                Role::JoinThread { handle } => handles::joins(state, arg(handle)),
                Role::DetachThread { handle } => handles::detaches(state, arg(handle)),
                Role::Stdio { touches } => stdio::enter(state, memory, touches, args),
                _ => {}
            }
            EventKind::HideBegin
        }
    };
    state.emit(event);
}

/// Whether a function may fail to release what it is to release, so that whether it does is to be told when it returns.
fn withholds(
    state: &State,
    memory: &[u8],
    Function { role, object }: Function,
    args: [u32; 4],
) -> bool {
    let arg = |position: u8| args[usize::from(position)];
    match role {
        Role::Unlock { lock } => {
            let holds = state.intercepts.holders.mode_of(arg(lock), state.current);
            let checks = match object {
                Some(ObjectKind::Mutex) => holders::checks_holder(memory, arg(lock)),
                Some(_) => false,
                None => true,
            };
            holds.is_none() && checks
        }
        Role::Release { object: semaphore } => {
            object == Some(ObjectKind::Semaphore) && holders::is_full(memory, arg(semaphore))
        }
        _ => false,
    }
}

/// The current thread releases a lock: it has it no longer, and if it has not had it, nobody has.
fn release(state: &mut State, lock: u32) -> EventKind {
    let (holders, thread) = (&mut state.intercepts.holders, state.current);
    let mode = match holders.mode_of(lock, thread) {
        Some(mode) => {
            holders.leave(lock, thread);
            mode
        }
        None => {
            let mode = holders.mode(lock);
            holders.forget(lock);
            mode.unwrap_or(LockMode::Shared)
        }
    };
    EventKind::LockRelease { lock, mode }
}

fn tell_object(state: &mut State, kind: ObjectKind, object: u32, act: ObjectAct) {
    state.emit(EventKind::Object { object, kind, act });
}

/// A function of POSIX threads is entered: tells the objects that it uses.
fn uses(state: &mut State, memory: &[u8], (kind, role): (ObjectKind, Role), args: [u32; 4]) {
    let arg = |position: u8| args[usize::from(position)];
    match role {
        Role::Lock {
            lock,
            shared,
            fallible,
        } => {
            let lock = arg(lock);
            tell_object(state, kind, lock, ObjectAct::Use);
            let held = state.intercepts.holders.mode_of(lock, state.current);
            if let Some(held) = held.filter(|_| !fallible)
                && holders::waits_for_itself(memory, kind, lock, [held, mode(shared)])
            {
                tell_object(state, kind, lock, ObjectAct::Relock);
            }
        }
        Role::CondvarWait { condvar, lock } => {
            tell_object(state, kind, arg(condvar), ObjectAct::Use);
            tell_object(state, ObjectKind::Mutex, arg(lock), ObjectAct::Use);
        }
        Role::Unlock { lock: object }
        | Role::CondvarNotify {
            condvar: object, ..
        }
        | Role::Barrier { barrier: object }
        | Role::Release { object }
        | Role::Acquire { object }
        | Role::Once { control: object } => {
            tell_object(state, kind, arg(object), ObjectAct::Use);
        }
        _ => {}
    }
}

/// A function is entered that hides nothing. Returns what it does with these arguments.
fn seen(state: &mut State, memory: &[u8], function: Function, args: [u32; 4]) -> Role {
    let arg = |position: u8| args[usize::from(position)];
    let Function { role, object } = function;
    match role {
        Role::EnterScope { scope } => state.thread_mut().scope = Some(arg(scope)),
        Role::VisibleBarrier { barrier } => state.emit(EventKind::BarrierArrive {
            barrier: arg(barrier),
        }),
        Role::InitLock { lock } => {
            let lock = arg(lock);
            if let Some(kind) = object.filter(|kind| kind.is_lock())
                && inside(state).next().is_none()
                && state.intercepts.holders.mode(lock).is_some()
                && holders::is_locked(memory, kind, lock)
            {
                tell_object(state, kind, lock, ObjectAct::InitHeld);
            }
        }
        _ => return lock_words::enter(state, role, args),
    }
    role
}

/// The life of an object began.
fn initialised(state: &mut State, object: Option<ObjectKind>, addr: u32, args: [u32; 4]) {
    if object.is_none_or(ObjectKind::is_lock) {
        state.intercepts.holders.forget(addr);
        state.emit(EventKind::LockInit { lock: addr });
    }
    if let Some(kind) = object {
        let value = match kind {
            // `pthread_barrier_init(barrier, attributes, count)`, `sem_init(semaphore, shared, value)`.
            ObjectKind::Barrier | ObjectKind::Semaphore => args[2],
            _ => 0,
        };
        tell_object(state, kind, addr, ObjectAct::Init { value });
    }
}

/// An intercepted function returns.
pub(super) fn leave(state: &mut State, memory: &[u8], result: u32) {
    let Some(Frame::Inside {
        function,
        args,
        withheld,
    }) = state.thread_mut().intercepted.pop()
    else {
        return;
    };
    let Function { role, object } = function;
    if !role.hides() {
        waits::leave(state, role, args);
        return match role {
            Role::ThreadSelf => handles::is_self(state, result),
            Role::InitLock { lock } => {
                if result == 0 && inside(state).next().is_none() {
                    initialised(state, object, args[usize::from(lock)], args);
                }
            }
            Role::VisibleBarrier { barrier } => state.emit(EventKind::BarrierLeave {
                barrier: args[usize::from(barrier)],
            }),
            _ => lock_words::leave(state, memory, role, args),
        };
    }
    let outermost = inside(state).next().is_none();
    let allocates = role.allocates() && !inside(state).any(Role::allocates);
    if outermost {
        left(state, memory, function, (args, withheld), result);
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
        state.intercepts.handles.forget(addr, size);
        state.waits.forget(addr, size);
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
fn left(
    state: &mut State,
    memory: &[u8],
    Function { role, object: kind }: Function,
    (args, withheld): ([u32; 4], bool),
    result: u32,
) {
    let arg = |position: u8| args[usize::from(position)];
    let success = result == 0;
    let thread = state.current;
    match role {
        Role::Lock { lock, shared, .. } => {
            let (lock, mode) = (arg(lock), mode(shared));
            if success {
                state.intercepts.holders.take(lock, thread, mode);
            }
            state.emit(if success {
                EventKind::LockAcquire { lock, mode }
            } else {
                EventKind::LockFail { lock, mode }
            });
            if let Some(kind) = kind.filter(|_| result == errno::DEADLOCK) {
                tell_object(state, kind, lock, ObjectAct::Relock);
            }
        }
        Role::Unlock { lock } => unlocked(state, arg(lock), withheld, success),
        Role::CondvarWait { condvar, lock } => {
            let (condvar, lock) = (arg(condvar), arg(lock));
            let timed_out = result == errno::TIMED_OUT;
            // How functions that the user named tell that they did not wait is not known.
            if !(success || timed_out || kind.is_none()) {
                return state.emit(EventKind::CondvarFail { condvar, lock });
            }
            let holders = &mut state.intercepts.holders;
            if holders.mode_of(lock, thread).is_none() {
                holders.take(lock, thread, LockMode::Exclusive);
            }
            state.emit(EventKind::CondvarWake {
                condvar,
                lock,
                timed_out,
            });
        }
        Role::CondvarNotify { condvar, .. } => state.emit(EventKind::CondvarNotified {
            condvar: arg(condvar),
        }),
        _ => state.emit(EventKind::HideEnd),
    }
    match role {
        Role::DestroyLock { lock } if success => {
            let lock = arg(lock);
            if let Some(kind) = kind {
                tell_object(state, kind, lock, ObjectAct::Destroy);
            }
            if kind.is_none_or(ObjectKind::is_lock) {
                state.intercepts.holders.forget(lock);
                state.emit(EventKind::LockDestroy { lock });
            }
        }
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
        Role::Stdio { touches } => stdio::leave(state, memory, touches, args, result),
        Role::Release { object } if withheld && success => {
            state.emit(EventKind::HappensBefore {
                object: arg(object),
            });
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
            if let (Some(child), Some(handle)) = (child, handle) {
                handles::created(state, handle, child, detached);
            }
        }
        Role::JoinThread { handle } if success => handles::joined(state, arg(handle)),
        Role::DetachThread { handle } if success => handles::detached(state, arg(handle)),
        _ => {}
    }
}

/// A function that releases a lock returned.
fn unlocked(state: &mut State, lock: u32, withheld: bool, success: bool) {
    let thread = state.current;
    if withheld {
        state.emit(EventKind::HideEnd);
        if !success {
            return state.emit(EventKind::LockNotReleased { lock });
        }
        let release = release(state, lock);
        state.emit(release);
    }
    state.emit(EventKind::LockReleased { lock });
    if !success {
        // Contrary to what was told: it was not released.
        let (mode, fallible) = (LockMode::Exclusive, true);
        state.intercepts.holders.take(lock, thread, mode);
        state.emit(EventKind::LockRequest {
            lock,
            mode,
            fallible,
        });
        state.emit(EventKind::LockAcquire { lock, mode });
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
pub(super) fn accessed(state: &mut State, memory: &[u8], addr: u32, len: u32, write: bool) {
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

/// The element of the table whose function is called back, if the current thread has not entered another one since.
pub(super) fn called_back(state: &State) -> Option<u32> {
    match state.thread().intercepted.last() {
        Some(&Frame::Callback { element }) => Some(element),
        _ => None,
    }
}

/// An intercepted function calls the guest's own code, this element of the table, or that returned.
pub(super) fn callback(state: &mut State, callee: Option<u32>) {
    if let Some(element) = callee {
        let hidden = hidden(state);
        let frame = Frame::Callback { element };
        state.thread_mut().intercepted.push(frame);
        if hidden {
            state.emit(EventKind::HideEnd);
        }
        return;
    }
    state.thread_mut().intercepted.pop();
    if let Some(&Frame::Inside {
        function: Function {
            role: Role::Once { control },
            ..
        },
        args,
        ..
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

/// The word at an address, if it is in memory.
pub(super) fn word(memory: &[u8], addr: u32) -> Option<u32> {
    let bytes = memory.get(addr as usize..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes))
}
