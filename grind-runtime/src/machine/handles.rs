//! Threads by the handles that the guest has of them.
//!
//! A handle of wasi-libc is the address of a block of the thread's own, which ends with the thread. So another thread can have
//! it as soon as that memory is allocated again, and whoever uses it until then uses what is gone.

use super::state::State;
use crate::model::{EventKind, HandleMisuse, ThreadId};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;

/// Threads whose handles are remembered; of further ones, joins are not seen.
const MOST_HANDLES: usize = 1 << 20;

/// Handles that were given up and are remembered; of further ones, wrong uses are not seen.
const MOST_GIVEN_UP: usize = 1 << 16;

/// Handles of themselves that threads asked for; of further ones, names and joins by handle are not seen.
const MOST_SELVES: usize = 1 << 16;

/// Why nobody has a handle any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GivenUp {
    Joined,
    Detached,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Handles {
    /// Until they are joined or detached.
    threads: FxHashMap<u32, ThreadId>,
    /// Threads by what they were told when they asked for their own: nobody was given one of the main thread. Another thread may have
    /// the memory since, if the one here has ended.
    selves: BTreeMap<u32, ThreadId>,
    /// Handles that were given up before the function that created the thread returned: by the new thread itself.
    early: FxHashSet<u32>,
    /// Whose handles were given up, and how, until their memory may be another's.
    given_up: BTreeMap<u32, (ThreadId, GivenUp)>,
}

impl Handles {
    /// A thread is about to be created, with attributes or without: these may say which memory is its own.
    pub(super) fn create(&mut self, attributes: bool) {
        if attributes {
            self.given_up.clear();
        }
    }

    /// These bytes are a new block.
    pub(super) fn forget(&mut self, addr: u32, size: u32) {
        let end = addr.saturating_add(size);
        while let Some((&handle, _)) = self.given_up.range(addr..end).next() {
            self.given_up.remove(&handle);
        }
    }

    fn give_up(&mut self, handle: u32, child: ThreadId, how: GivenUp) {
        if self.given_up.len() < MOST_GIVEN_UP || self.given_up.contains_key(&handle) {
            self.given_up.insert(handle, (child, how));
        }
    }

    /// The thread of a handle that nobody has any more.
    fn take(&mut self, handle: u32, how: GivenUp) -> Option<ThreadId> {
        let child = self.threads.remove(&handle);
        match child {
            Some(child) => self.give_up(handle, child, how),
            None if self.given_up.contains_key(&handle) => {}
            None if self.early.len() < MOST_HANDLES => {
                self.early.insert(handle);
            }
            None => {}
        }
        child
    }
}

/// The thread that has this handle.
pub(super) fn thread(state: &State, handle: u32) -> Option<ThreadId> {
    let handles = &state.intercepts.handles;
    let lives = |thread: &&ThreadId| state.get(**thread).is_some_and(|thread| !thread.ended());
    let itself = || handles.selves.get(&handle).filter(lives);
    handles.threads.get(&handle).or_else(itself).copied()
}

/// The current thread asked for its own handle.
pub(super) fn is_self(state: &mut State, handle: u32) {
    let (thread, selves) = (state.current, &mut state.intercepts.handles.selves);
    if selves.len() < MOST_SELVES || selves.contains_key(&handle) {
        selves.insert(handle, thread);
    }
}

/// A thread was created.
pub(super) fn created(state: &mut State, handle: u32, child: ThreadId, detached: bool) {
    let handles = &mut state.intercepts.handles;
    handles.given_up.remove(&handle);
    if detached || handles.early.remove(&handle) {
        // Where the thread has ended already, another one may have its memory.
        if !handles.threads.contains_key(&handle) {
            handles.give_up(handle, child, GivenUp::Detached);
        }
        return;
    }
    if handles.threads.len() < MOST_HANDLES {
        handles.threads.insert(handle, child);
        state.emit(EventKind::ThreadJoinable { child });
    }
}

/// The current thread is about to join the thread of this handle.
pub(super) fn joins(state: &mut State, handle: u32) {
    misused(state, handle, |how| match how {
        GivenUp::Joined => HandleMisuse::DoubleJoin,
        GivenUp::Detached => HandleMisuse::JoinDetached,
    });
}

/// It is about to detach it.
pub(super) fn detaches(state: &mut State, handle: u32) {
    misused(state, handle, |_| HandleMisuse::DoubleDetach);
}

/// It joined it.
pub(super) fn joined(state: &mut State, handle: u32) {
    if let Some(child) = state.intercepts.handles.take(handle, GivenUp::Joined) {
        state.emit(EventKind::ThreadJoin { child });
    }
}

/// It detached it.
pub(super) fn detached(state: &mut State, handle: u32) {
    if let Some(child) = state.intercepts.handles.take(handle, GivenUp::Detached) {
        state.emit(EventKind::ThreadDetach { child });
    }
}

fn misused(state: &mut State, handle: u32, misuse: impl Fn(GivenUp) -> HandleMisuse) {
    if let Some(&(child, how)) = state.intercepts.handles.given_up.get(&handle) {
        let misuse = misuse(how);
        state.emit(EventKind::HandleMisuse { child, misuse });
    }
}
