//! The end of a `std::thread::scope`, which waits for threads that nobody joins: until their count, in memory that they share
//! with it, is 0.
//!
//! A thread is counted, before it is created, in a function that is known by name. Whoever then finds the count at 0 has waited
//! for all, in every schedule; that is told as [`EventKind::ThreadDone`]. The atomics order the threads themselves.

use super::state::State;
use crate::model::{EventKind, ThreadId};
use std::collections::BTreeMap;

/// Scopes whose end is awaited at once; that of further ones is not seen.
const MOST_SCOPES: usize = 1 << 16;

/// Bytes of std's `ScopeData`; the count is one of its words.
const SCOPE_BYTES: u32 = 16;

/// Threads by the address of their scope.
#[derive(Debug, Default)]
pub(super) struct Scopes(BTreeMap<u32, Vec<ThreadId>>);

impl Scopes {
    /// A thread is created in this scope.
    pub(super) fn enter(&mut self, scope: u32, child: ThreadId) {
        if self.0.len() < MOST_SCOPES || self.0.contains_key(&scope) {
            self.0.entry(scope).or_default().push(child);
        }
    }
}

/// The current thread read a word atomically.
#[inline]
pub(super) fn loaded(state: &mut State, addr: u32, value: u64) {
    if value == 0 && !state.scopes.0.is_empty() {
        awaited(state, addr);
    }
}

fn awaited(state: &mut State, addr: u32) {
    let scopes = &mut state.scopes.0;
    let Some((&scope, _)) = scopes.range(..=addr).next_back() else {
        return;
    };
    if addr - scope < SCOPE_BYTES {
        for child in scopes.remove(&scope).unwrap_or_default() {
            state.emit(EventKind::ThreadDone { child });
        }
    }
}
