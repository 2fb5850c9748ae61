//! A first reading: which words are locks, and nothing but locks; and which locks are not released in the reverse order of
//! their acquires.
//!
//! The machine tells what happens to a lock word beside the atomics that do it. To an analysis that predicts, a lock says
//! less than they: critical sections exclude each other, in whatever order, while an atomic follows the one before it. So where a
//! word has *strayed*, and once was used in a way that these events do not tell, it stays the atomics that it is made of.
//!
//! An atomic instruction is told of if it takes or leaves the lock, if its thread waits for the lock, or if it reads the word
//! right before its thread asks for the lock or takes it. **Strayed** are, therefore, words that an inlined `try_lock` was used
//! on, that became something else, that parking_lot hands over; and whatever is taken together with others, whose waiters are
//! woken by functions that look at the word.
//!
//! There are analyses that take critical sections for nested. A word that was left before a lock that was taken later strays,
//! therefore; of another lock this is remembered.
//!
//! **Cost**: 8 bytes per address that atomics use.

use crate::program::sites::SiteId;
use crate::trace::{AtomicKind, Event, EventKind, LockChange, LockMode, WaitOutcome};
use rustc_hash::{FxHashMap, FxHashSet};

/// What was learned.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    words: FxHashMap<u32, u8>,
    unnested: FxHashSet<u32>,
}

impl Locks {
    /// The bytes of a word that is nothing but an exclusive lock.
    #[inline]
    pub(super) fn word(&self, addr: u32) -> Option<u32> {
        if self.words.is_empty() {
            return None;
        }
        self.words.get(&addr).map(|&len| len.into())
    }

    /// Whether a thread released the lock, which is no word, before one that it had taken later.
    pub(super) fn is_unnested(&self, lock: u32) -> bool {
        self.unnested.contains(&lock)
    }

    /// How many there are of those.
    pub(super) fn unnested(&self) -> usize {
        self.unnested.len()
    }
}

/// What a thread is about to do, as its last events tell.
#[derive(Clone, Copy, Debug, Default)]
struct Intent {
    /// This instruction changes the word of this lock.
    tells: Option<(u32, SiteId)>,
    /// It waits for this lock.
    wants: Option<u32>,
    /// It has read this word, and nothing else since.
    looked: Option<u32>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Learning {
    threads: Vec<Intent>,
    words: FxHashMap<u32, u8>,
    strayed: FxHashSet<u32>,
    unnested: FxHashSet<u32>,
}

impl Learning {
    /// Follows an event.
    pub(super) fn follow(&mut self, event: &Event, hidden: bool) {
        let index = event.thread.0 as usize;
        if index >= self.threads.len() {
            self.threads.resize_with(index + 1, Intent::default);
        }
        let intent = &mut self.threads[index];
        let told = intent.tells.take();
        if let Some(looked) = intent.looked.take() {
            match event.kind {
                EventKind::LockWord {
                    lock,
                    change: LockChange::Wanted { .. } | LockChange::Taken { .. },
                    ..
                } if lock == looked => {}
                EventKind::Atomic {
                    addr,
                    kind: AtomicKind::Load,
                    ..
                } if addr == looked => {}
                _ => self.strayed_at(looked),
            }
        }
        let intent = &mut self.threads[index];
        match event.kind {
            EventKind::LockWord { lock, site, change } => {
                match change {
                    LockChange::Wanted { .. } => intent.wants = Some(lock),
                    LockChange::Taken { .. } => {
                        intent.wants = intent.wants.filter(|&wanted| wanted != lock);
                    }
                    LockChange::Left { .. } => {}
                }
                intent.tells = site.map(|site| (lock, site)).or(told);
                if let LockChange::Taken {
                    mode: LockMode::Shared,
                    ..
                } = change
                {
                    self.strayed_at(lock);
                }
            }
            EventKind::ThreadExit(_) => *intent = Intent::default(),
            _ if hidden => {}
            EventKind::Atomic {
                site,
                addr,
                width,
                kind,
            } => {
                if told == Some((addr, site)) {
                    self.words.insert(addr, width);
                } else if intent.wants == Some(addr) {
                } else if kind == AtomicKind::Load {
                    intent.looked = Some(addr);
                } else {
                    self.strayed_at(addr);
                }
            }
            EventKind::WaitBegin { addr, .. }
            | EventKind::WaitEnd {
                addr,
                outcome: WaitOutcome::NotEqual | WaitOutcome::Woken,
                ..
            } if intent.wants != Some(addr) => self.strayed_at(addr),
            _ => {}
        }
    }

    /// The word was used in a way that is not told of.
    fn strayed_at(&mut self, addr: u32) {
        self.strayed.insert(addr);
    }

    /// A thread leaves the lock before one that it took later.
    pub(super) fn not_nested(&mut self, lock: u32, word: bool) {
        match word {
            true => self.strayed.insert(lock),
            false => self.unnested.insert(lock),
        };
    }

    /// What was learned when the trace ended, of words as well if there are `accesses` in it. Without them, it is not known what
    /// threads learn from each other while they have a lock, so to reverse their sections would be a guess.
    pub(super) fn finish(self, accesses: bool) -> Locks {
        if !accesses {
            return Locks {
                unnested: self.unnested,
                ..Locks::default()
            };
        }
        let looked = self.threads.iter().filter_map(|intent| intent.looked);
        let mut words = self.words;
        for addr in self.strayed.into_iter().chain(looked) {
            words.remove(&addr);
        }
        let unnested = self.unnested;
        Locks { words, unnested }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{ThreadEnd, ThreadId};

    const LOCK: u32 = 0x40;
    const FAST: SiteId = SiteId(1);
    const OTHER: SiteId = SiteId(2);

    fn word(site: Option<SiteId>, change: LockChange) -> EventKind {
        let lock = LOCK;
        EventKind::LockWord { lock, site, change }
    }

    fn wanted() -> EventKind {
        let mode = LockMode::Exclusive;
        word(None, LockChange::Wanted { mode })
    }

    fn taken() -> EventKind {
        let (mode, fallible) = (LockMode::Exclusive, false);
        word(Some(FAST), LockChange::Taken { mode, fallible })
    }

    fn left() -> EventKind {
        let mode = LockMode::Exclusive;
        word(Some(OTHER), LockChange::Left { mode })
    }

    fn atomic(site: SiteId, kind: AtomicKind) -> EventKind {
        let (addr, width) = (LOCK, 4);
        EventKind::Atomic {
            site,
            addr,
            width,
            kind,
        }
    }

    use AtomicKind::{Load, ReadModifyWrite};

    /// Whether these events, each by this thread, leave the word a lock.
    fn is_lock(events: &[(u32, EventKind)]) -> bool {
        let mut learning = Learning::default();
        for (thread, kind) in events.iter().cloned() {
            let thread = ThreadId(thread);
            learning.follow(&Event { thread, kind }, false);
        }
        learning.finish(true).word(LOCK) == Some(4)
    }

    fn section(thread: u32) -> Vec<(u32, EventKind)> {
        [
            taken(),
            atomic(FAST, ReadModifyWrite),
            left(),
            atomic(OTHER, ReadModifyWrite),
        ]
        .map(|kind| (thread, kind))
        .to_vec()
    }

    #[test]
    fn what_takes_and_leaves_a_lock_is_told() {
        assert!(is_lock(&[section(1), section(2)].concat()));
        assert!(!is_lock(&[(1, atomic(FAST, ReadModifyWrite))]));
    }

    #[test]
    fn waiting_for_a_lock_is_told() {
        let wait = [
            atomic(FAST, Load),
            atomic(FAST, Load),
            wanted(),
            atomic(OTHER, ReadModifyWrite),
            EventKind::WaitBegin {
                site: OTHER,
                addr: LOCK,
                width: 4,
            },
        ];
        let wait = wait.map(|kind| (1, kind)).to_vec();
        assert!(is_lock(&[wait.clone(), section(2), section(1)].concat()));
        // It has the lock now, and waits for it no longer.
        assert!(!is_lock(
            &[section(1), wait[4..].to_vec(), section(2)].concat()
        ));
    }

    #[test]
    fn any_other_atomic_strays() {
        let other = |kind| vec![(2, atomic(OTHER, kind))];
        for kind in [Load, AtomicKind::Store, ReadModifyWrite] {
            assert!(!is_lock(&[section(1), other(kind)].concat()), "{kind:?}");
            assert!(!is_lock(&[other(kind), section(1)].concat()), "{kind:?}");
        }
        let ended = vec![(2, EventKind::ThreadExit(ThreadEnd::Returned))];
        assert!(!is_lock(&[section(1), other(Load), ended].concat()));
        // What another thread asks for does not explain it.
        let wants = vec![(1, wanted())];
        assert!(!is_lock(&[section(1), other(Load), wants].concat()));
    }

    #[test]
    fn what_others_may_take_as_well_strays() {
        let (mode, fallible) = (LockMode::Shared, false);
        let shared = word(Some(FAST), LockChange::Taken { mode, fallible });
        assert!(!is_lock(&[section(1), vec![(2, shared)]].concat()));
    }
}
