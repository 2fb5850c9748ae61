//! Locks that are a word in memory: who has them, as the words tell. See [`crate::program::lock_words`].
//!
//! A word is a lock from the first time that an instruction or a function which is known to take such locks is used on it,
//! until its memory is allocated anew, or it has a value that such a lock cannot have. Only by those it is taken, for a word on
//! a stack may be something else by now. Every atomic instruction can leave it.

use super::atomics;
use super::intercepts::{Frame, Function};
use super::state::State;
use crate::model::sites::SiteId;
use crate::model::{AtomicKind, EventKind, LockChange, LockMode, ThreadId};
use crate::program::interceptors::Role;
use crate::program::lock_words::{LockState, LockWord, NO_DEADLINE, Part};
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

    /// An instruction of `thread` changed it, maybe to take it.
    fn changed(
        &mut self,
        thread: ThreadId,
        (before, after): (Option<LockState>, LockState),
        taking: Option<Taking>,
    ) -> Changes {
        let mut changes = Changes::new();
        let known = before.unwrap_or(after);
        let becomes = after.exclusive && !known.exclusive;
        // Who has a lock can let others share it.
        let downgrades = after.readers > 0 && self.holders.contains(&(thread, LockMode::Exclusive));
        if !after.exclusive || becomes {
            self.leave(&mut changes, LockMode::Exclusive, None);
        }
        if after.readers == 0 {
            self.leave(&mut changes, LockMode::Shared, None);
        } else if after.readers < known.readers {
            self.leave(&mut changes, LockMode::Shared, Some(thread));
        }
        let fallible = taking.map(|taking| taking.fallible);
        // While somebody has it, the word is a lock for certain: whoever adds a reader is one, by an attempt that was inlined.
        let attempts = (!self.holders.is_empty()).then_some(true);
        if becomes && let Some(fallible) = fallible {
            self.take(&mut changes, thread, LockMode::Exclusive, fallible);
        }
        if after.readers > known.readers
            && let Some(fallible) = fallible.or(downgrades.then_some(true)).or(attempts)
        {
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

    /// The program has these, of which it had some before.
    pub(super) fn know(&mut self, sites: Arc<FxHashMap<SiteId, LockWord>>) {
        self.sites = sites;
    }
}

/// There is a lock of this kind; none beyond the limit.
fn lock_at(state: &mut State, addr: u32, kind: LockWord) -> Option<&mut Word> {
    let words = &state.lock_words.words;
    let known = words.get(&addr).map(|word| word.kind);
    if known.is_none() && words.len() >= MOST_WORDS {
        return None;
    }
    if known.is_some_and(|known| known != kind) {
        not_a_lock(state, addr);
    }
    Some(state.lock_words.words.entry(addr).or_insert_with(|| Word {
        kind,
        holders: SmallVec::new(),
    }))
}

/// The function of a lock that the thread is in: what it does, of which kind the lock is, and where, if that is known.
fn inside(state: &State) -> Option<(LockWord, Part, Option<u32>)> {
    let frame = state.thread().intercepted.last()?;
    let &Frame::Inside {
        function:
            Function {
                role: Role::LockWord {
                    word, part, lock, ..
                },
                ..
            },
        args,
        ..
    } = frame
    else {
        return None;
    };
    Some((word, part, lock.map(|lock| args[usize::from(lock)])))
}

fn tell(state: &mut State, lock: u32, site: Option<SiteId>, changes: Changes) {
    for (thread, change) in changes {
        // What another thread lost was not lost at an instruction of its own.
        let site = site.filter(|_| thread == state.current);
        state.emit_for(thread, EventKind::LockWord { lock, site, change });
    }
}

/// How a thread came to take a lock.
#[derive(Clone, Copy, Debug)]
struct Taking {
    kind: LockWord,
    fallible: bool,
}

/// How the current thread takes a lock by an instruction, if that takes one.
fn taking(state: &State, done: &Done) -> Option<Taking> {
    if let Some(&kind) = state.lock_words.sites.get(&done.site) {
        let fallible = false;
        return Some(Taking { kind, fallible });
    }
    let (kind, part, lock) = inside(state)?;
    let fallible = part.asks().is_none();
    (lock.is_none_or(|lock| lock == done.addr)).then_some(Taking { kind, fallible })
}

/// The current thread changed memory atomically; to be told before that is.
#[inline]
pub(super) fn changed(state: &mut State, memory: &[u8], done: Done) {
    if done.kind == AtomicKind::Load {
        return found_busy(state, &done);
    }
    let taking = taking(state, &done);
    if taking.is_some() || state.lock_words.words.contains_key(&done.addr) {
        word_changed(state, memory, done, taking);
    }
}

/// The current thread read a word atomically, or would have changed it.
fn found_busy(state: &mut State, done: &Done) {
    if state.lock_words.sites.contains_key(&done.site) {
        let busy = (state.current, LockChange::Busy);
        tell(
            state,
            done.addr,
            Some(done.site),
            Changes::from_iter([busy]),
        );
    }
}

/// What a word of this kind said before, if that was read, and says now; none if it cannot say that.
fn states(kind: LockWord, done: &Done, new: u64) -> Option<(Option<LockState>, LockState)> {
    let before = match done.kind {
        AtomicKind::ReadModifyWrite => Some(kind.state(done.old)?),
        AtomicKind::Load | AtomicKind::Store => None,
    };
    let after = kind.state(new).filter(|_| kind.width() == done.width)?;
    Some((before, after))
}

#[inline(never)]
fn word_changed(state: &mut State, memory: &[u8], done: Done, taking: Option<Taking>) {
    let Done { addr, width, .. } = done;
    let new = atomics::read(memory, addr as usize, width);
    let thread = state.current;
    let taking = taking.filter(|taking| {
        let change = states(taking.kind, &done, new);
        matches!(change, Some((Some(before), after)) if after.takes_from(before))
    });
    let word = match taking {
        Some(taking) => lock_at(state, addr, taking.kind),
        None => state.lock_words.words.get_mut(&addr),
    };
    let Some(word) = word else {
        return;
    };
    let Some(change) = states(word.kind, &done, new) else {
        return not_a_lock(state, addr);
    };
    let changes = word.changed(thread, change, taking);
    tell(state, addr, Some(done.site), changes);
}

/// The word is no lock any more, and whoever had it has it no longer.
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

/// These bytes are something else from here on.
pub(super) fn forget(state: &mut State, addr: u32, len: u32) {
    let Some(last) = len.checked_sub(1) else {
        return;
    };
    let last = addr.saturating_add(last);
    while let Some((&addr, _)) = state.lock_words.words.range(addr..=last).next() {
        not_a_lock(state, addr);
    }
}

/// The current thread enters a function of a lock, with these arguments. Returns what it does with them.
pub(super) fn enter(state: &mut State, mut role: Role, args: [u32; 4]) -> Role {
    let Role::LockWord {
        word: kind,
        ref mut part,
        lock,
        deadline,
    } = role
    else {
        return role;
    };
    let arg = |position: u8| args[usize::from(position)];
    let gives_up = deadline.is_some_and(|at| arg(at) != NO_DEADLINE.cast_unsigned());
    if gives_up && part.asks().is_some() {
        *part = Part::Try;
    }
    let Some(lock) = lock.map(arg) else {
        return role;
    };
    let thread = state.current;
    let asked_before = matches!(inside(state), Some((_, part, Some(asked)))
        if asked == lock && part.asks().is_some());
    let mut changes = Changes::new();
    if let Some(word) = lock_at(state, lock, kind) {
        match *part {
            Part::Leave => word.leave(&mut changes, LockMode::Exclusive, Some(thread)),
            Part::Take(mode) | Part::Wait(mode) if !asked_before => {
                changes.push((thread, LockChange::Wanted { mode }));
            }
            _ => {}
        }
    }
    tell(state, lock, None, changes);
    role
}

/// The current thread returns from a function of a lock. If it has taken it, whoever had it may have given it away without a
/// change of the word.
pub(super) fn leave(state: &mut State, memory: &[u8], role: Role, args: [u32; 4]) {
    let Role::LockWord {
        part,
        lock: Some(lock),
        ..
    } = role
    else {
        return;
    };
    let (thread, lock) = (state.current, args[usize::from(lock)]);
    let end = |word: &Word| lock as usize + usize::from(word.kind.width());
    let word = (state.lock_words.words.get_mut(&lock)).filter(|word| end(word) <= memory.len());
    let (Some(word), Some(mode)) = (word, part.asks()) else {
        return;
    };
    let value = atomics::read(memory, lock as usize, word.kind.width());
    let now = word.kind.state(value).unwrap_or_default();
    let exclusive = mode == LockMode::Exclusive;
    let taken = if exclusive {
        now.exclusive
    } else {
        now.readers > 0
    };
    let has = word.holders.iter().any(|&(holder, _)| holder == thread);
    if taken && !has {
        let mut changes = Changes::new();
        if exclusive {
            word.leave(&mut changes, mode, None);
        }
        word.take(&mut changes, thread, mode, false);
        tell(state, lock, None, changes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: ThreadId = ThreadId(1);
    const OTHER: ThreadId = ThreadId(2);
    const WRITER: u64 = (1 << 30) - 1;

    /// What a thread's change of a word does, in short: who takes (+) or leaves (-) it, shared or not.
    fn changes(word: &mut Word, thread: ThreadId, values: [u64; 2], takes: bool) -> Vec<String> {
        let kind = word.kind;
        let [before, after] = values.map(|value| kind.state(value));
        let fallible = false;
        let taking = takes.then_some(Taking { kind, fallible });
        let after = after.expect("a value that the lock can have");
        let changes = word.changed(thread, (before, after), taking);
        let short = |(thread, change): (ThreadId, LockChange)| match change {
            LockChange::Wanted { mode } => format!("?{thread} {mode:?}"),
            LockChange::Taken { mode, .. } => format!("+{thread} {mode:?}"),
            LockChange::Left { mode } => format!("-{thread} {mode:?}"),
            LockChange::Busy => format!("!{thread}"),
        };
        changes.into_iter().map(short).collect()
    }

    fn word(kind: LockWord) -> Word {
        Word {
            kind,
            holders: SmallVec::new(),
        }
    }

    #[test]
    fn a_mutex_is_taken_by_what_takes_mutexes_and_left_by_anything() {
        let mut word = word(LockWord::StdMutex);
        assert_eq!(changes(&mut word, ME, [0, 1], false), [""; 0]);
        assert_eq!(changes(&mut word, OTHER, [1, 0], false), [""; 0]);
        assert_eq!(changes(&mut word, ME, [0, 1], true), ["+T1 Exclusive"]);
        assert_eq!(changes(&mut word, OTHER, [1, 2], true), [""; 0]);
        assert_eq!(changes(&mut word, ME, [2, 0], false), ["-T1 Exclusive"]);
    }

    #[test]
    fn whoever_had_a_word_that_was_written_over_has_it_no_longer() {
        let mut word = word(LockWord::StdMutex);
        changes(&mut word, OTHER, [0, 1], true);
        let taken = changes(&mut word, ME, [0, 1], true);
        assert_eq!(taken, ["-T2 Exclusive", "+T1 Exclusive"]);
    }

    #[test]
    fn readers_are_counted_by_thread() {
        let mut word = word(LockWord::StdRwLock);
        assert_eq!(changes(&mut word, ME, [0, 1], true), ["+T1 Shared"]);
        assert_eq!(changes(&mut word, OTHER, [1, 2], true), ["+T2 Shared"]);
        assert_eq!(changes(&mut word, ME, [2, 3], true), ["+T1 Shared"]);
        assert_eq!(changes(&mut word, ME, [3, 2], false), ["-T1 Shared"]);
        let last = changes(&mut word, ME, [2, 0], false);
        assert_eq!(last, ["-T2 Shared", "-T1 Shared"]);
    }

    #[test]
    fn a_reader_that_attempts_it_as_well_leaves_it_as_often() {
        let mut word = word(LockWord::StdRwLock);
        assert_eq!(changes(&mut word, OTHER, [0, 1], false), [""; 0]);
        assert_eq!(changes(&mut word, OTHER, [1, 0], false), [""; 0]);
        assert_eq!(changes(&mut word, ME, [0, 1], true), ["+T1 Shared"]);
        assert_eq!(changes(&mut word, ME, [1, 2], false), ["+T1 Shared"]);
        assert_eq!(changes(&mut word, ME, [2, 1], false), ["-T1 Shared"]);
        assert_eq!(changes(&mut word, ME, [1, 0], false), ["-T1 Shared"]);
    }

    #[test]
    fn a_writer_can_become_a_reader() {
        let mut word = word(LockWord::StdRwLock);
        assert_eq!(changes(&mut word, ME, [0, WRITER], true), ["+T1 Exclusive"]);
        let downgraded = changes(&mut word, ME, [WRITER, 1], false);
        assert_eq!(downgraded, ["-T1 Exclusive", "+T1 Shared"]);
    }

    #[test]
    fn a_writer_that_waits_for_readers_has_nothing_yet() {
        let mut word = word(LockWord::ParkingLotRwLock);
        assert_eq!(changes(&mut word, OTHER, [0, 16], true), ["+T2 Shared"]);
        assert_eq!(changes(&mut word, ME, [16, 24], true), [""; 0]);
        assert_eq!(changes(&mut word, OTHER, [24, 8], false), ["-T2 Shared"]);
    }
}
