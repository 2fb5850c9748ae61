//! Locks that are a word in memory: who has them, as the words tell. See [`crate::program::lock_words`].
//!
//! A word is a lock from the first time that an instruction or a function which is known to take such locks is used on it,
//! until its memory is allocated anew, or it has a value that such a lock cannot have. From then on every atomic instruction that
//! changes it takes or leaves it.

use super::atomics;
use super::intercepts::Frame;
use super::state::State;
use crate::program::interceptors::Role;
use crate::program::lock_words::{LockState, LockWord, Part};
use crate::program::sites::SiteId;
use crate::trace::{AtomicKind, EventKind, LockChange, LockMode, ThreadId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Locks that are followed at once; further ones are atomics like others.
const MOST_WORDS: usize = 1 << 20;

/// All of them.
#[derive(Debug)]
pub(super) struct LockWords {
    /// Instructions that take one.
    sites: Arc<FxHashMap<SiteId, LockWord>>,
    /// By address.
    words: BTreeMap<u32, Word>,
}

#[derive(Debug)]
struct Word {
    kind: LockWord,
    /// As often as they took it.
    holders: SmallVec<[(ThreadId, LockMode); 2]>,
}

/// An atomic instruction that was carried out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) site: SiteId,
    pub(super) addr: u32,
    pub(super) width: u8,
    pub(super) kind: AtomicKind,
    /// What was there, if it was read.
    pub(super) old: u64,
}

/// Changes of one word, by whom.
type Changes = SmallVec<[(ThreadId, LockChange); 2]>;

impl Word {
    /// Takes `mode` from those who have it in that mode, or from one of them.
    fn leave(&mut self, changes: &mut Changes, mode: LockMode, only: Option<ThreadId>) {
        let leaves = |holder: &(ThreadId, LockMode)| {
            holder.1 == mode && only.is_none_or(|only| holder.0 == only)
        };
        while let Some(at) = self.holders.iter().rposition(leaves) {
            let (thread, mode) = self.holders.remove(at);
            changes.push((thread, LockChange::Left { mode }));
            if only.is_some() {
                break;
            }
        }
    }

    fn take(&mut self, changes: &mut Changes, thread: ThreadId, mode: LockMode, fallible: bool) {
        self.holders.push((thread, mode));
        changes.push((thread, LockChange::Taken { mode, fallible }));
    }

    /// An instruction of `thread` changed it.
    fn changed(
        &mut self,
        thread: ThreadId,
        (before, after): (Option<LockState>, LockState),
        fallible: bool,
    ) -> Changes {
        let mut changes = Changes::new();
        let known = before.unwrap_or(after);
        let takes = after.exclusive && !known.exclusive;
        if !after.exclusive || takes {
            self.leave(&mut changes, LockMode::Exclusive, None);
        }
        if after.readers == 0 {
            self.leave(&mut changes, LockMode::Shared, None);
        } else if after.readers < known.readers {
            self.leave(&mut changes, LockMode::Shared, Some(thread));
        }
        if takes {
            self.take(&mut changes, thread, LockMode::Exclusive, fallible);
        }
        if after.readers > known.readers {
            self.take(&mut changes, thread, LockMode::Shared, fallible);
        }
        changes
    }
}

impl LockWords {
    pub(super) fn new(sites: Arc<FxHashMap<SiteId, LockWord>>) -> LockWords {
        LockWords {
            sites,
            words: BTreeMap::new(),
        }
    }

    /// These bytes are something else from here on.
    pub(super) fn forget(&mut self, addr: u32, len: u32) {
        let Some(last) = len.checked_sub(1) else {
            return;
        };
        let last = addr.saturating_add(last);
        while let Some((&addr, _)) = self.words.range(addr..=last).next() {
            self.words.remove(&addr);
        }
    }

    /// There is a lock of this kind.
    fn at(&mut self, addr: u32, kind: LockWord) -> Option<&mut Word> {
        if self.words.len() >= MOST_WORDS && !self.words.contains_key(&addr) {
            return None;
        }
        let word = self.words.entry(addr).or_insert_with(|| Word {
            kind,
            holders: SmallVec::new(),
        });
        if word.kind != kind {
            word.kind = kind;
            word.holders.clear();
        }
        Some(word)
    }
}

/// The lock that the thread is in a function to take.
fn asked(state: &State) -> Option<u32> {
    state.thread().intercepted.iter().rev().find_map(|frame| {
        let &Frame::Inside {
            role:
                Role::LockWord {
                    part: Part::Take(_),
                    ..
                },
            args,
        } = frame
        else {
            return None;
        };
        Some(args[0])
    })
}

fn tell(state: &mut State, lock: u32, site: Option<SiteId>, changes: Changes) {
    for (thread, change) in changes {
        // What another thread lost was not lost at an instruction of its own.
        let site = site.filter(|_| thread == state.current);
        state.emit_for(thread, EventKind::LockWord { lock, site, change });
    }
}

/// The current thread changed memory atomically; to be told before that is.
#[inline]
pub(super) fn changed(state: &mut State, memory: &[u8], done: Done) {
    if done.kind == AtomicKind::Load {
        return;
    }
    let taking = state.lock_words.sites.get(&done.site).copied();
    if taking.is_some() || state.lock_words.words.contains_key(&done.addr) {
        word_changed(state, memory, done, taking);
    }
}

#[inline(never)]
fn word_changed(state: &mut State, memory: &[u8], done: Done, taking: Option<LockWord>) {
    let Done {
        addr, width, old, ..
    } = done;
    let fallible = taking.is_none() && asked(state) != Some(addr);
    let thread = state.current;
    let words = &mut state.lock_words;
    let word = match taking {
        Some(kind) => words.at(addr, kind),
        None => words.words.get_mut(&addr),
    };
    let Some(word) = word else {
        return;
    };
    let kind = word.kind;
    let new = atomics::read(memory, addr as usize, width);
    let after = kind.state(new).filter(|_| kind.width() == width);
    let read = done.kind == AtomicKind::ReadModifyWrite;
    let before = if read {
        kind.state(old).map(Some)
    } else {
        Some(None)
    };
    let (Some(before), Some(after)) = (before, after) else {
        return not_a_lock(state, addr);
    };
    let changes = word.changed(thread, (before, after), fallible);
    tell(state, addr, Some(done.site), changes);
}

/// The word has a value that says that it is none, or not any more.
fn not_a_lock(state: &mut State, addr: u32) {
    let Some(mut word) = state.lock_words.words.remove(&addr) else {
        return;
    };
    let mut changes = Changes::new();
    for mode in [LockMode::Exclusive, LockMode::Shared] {
        word.leave(&mut changes, mode, None);
    }
    tell(state, addr, None, changes);
}

/// The current thread enters a function of a lock.
pub(super) fn enter(state: &mut State, kind: LockWord, part: Part, lock: u32) {
    let thread = state.current;
    let asked_before = asked(state) == Some(lock);
    let Some(word) = state.lock_words.at(lock, kind) else {
        return;
    };
    let mut changes = Changes::new();
    match part {
        Part::Take(_) if asked_before => {}
        Part::Take(mode) => changes.push((thread, LockChange::Wanted { mode })),
        Part::Leave => word.leave(&mut changes, LockMode::Exclusive, Some(thread)),
        Part::Try => {}
    }
    tell(state, lock, None, changes);
}

/// The current thread has taken a lock, and returns. Whoever had it may have given it to this thread without changing it.
pub(super) fn leave(state: &mut State, memory: &[u8], lock: u32) {
    let thread = state.current;
    let end = |word: &Word| lock as usize + usize::from(word.kind.width());
    let Some(word) =
        (state.lock_words.words.get_mut(&lock)).filter(|word| end(word) <= memory.len())
    else {
        return;
    };
    let value = atomics::read(memory, lock as usize, word.kind.width());
    let exclusive = word.kind.state(value).is_some_and(|now| now.exclusive);
    let has = |word: &Word| word.holders.iter().any(|&(holder, _)| holder == thread);
    if exclusive && !has(word) {
        let mut changes = Changes::new();
        word.leave(&mut changes, LockMode::Exclusive, None);
        word.take(&mut changes, thread, LockMode::Exclusive, false);
        tell(state, lock, None, changes);
    }
}
