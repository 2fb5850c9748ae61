//! A first reading: which words are locks, and nothing but locks; and which locks are not released in the reverse order of
//! their acquires.
//!
//! The machine tells what happens to a lock word beside the atomics that do it. To an analysis that predicts, a lock says
//! less than they: critical sections exclude each other, in whatever order, while an atomic follows the one before it. So where a
//! word has *strayed*, and once was used in a way that these events do not tell, it stays the atomics that it is made of.
//!
//! An atomic instruction is told of if it takes or leaves the lock, is about to ask for it, or waits for it. **Strayed** are,
//! therefore, words that an inlined `try_lock` was used on, or any that failed; that a thread asked whether they are taken; that
//! became something else, by a plain write as well; that parking_lot's slow path unlocks; and whatever is taken together with
//! others, whose waiters are woken by functions that look at the word.
//!
//! There are analyses that take critical sections for nested. A word that was left before a lock that was taken later strays,
//! therefore; of another lock this is remembered. So is whether an attempt to take it failed: that tells a thread that another
//! has it.
//!
//! **Limit**: [`MAX_HELD`] words are held at once; further ones stray.
//!
//! **Cost**: 8 bytes per address that atomics use; a look at the words held per plain write.

use crate::model::meaning::{Touched, TouchedBy, WaitStep, WokenOn};
use crate::model::sites::SiteId;
use crate::model::{Event, EventKind, LockChange, LockMode, WaitOutcome};
use rustc_hash::{FxHashMap, FxHashSet};

/// What was learned.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    words: FxHashMap<u32, u8>,
    unnested: FxHashSet<u32>,
    failed: FxHashSet<u32>,
}

/// Words that are held at once and watched.
const MAX_HELD: usize = 64;

impl Locks {
    /// The bytes of a word that is nothing but an exclusive lock.
    #[inline]
    pub(in crate::predict) fn word(&self, addr: u32) -> Option<u32> {
        if self.words.is_empty() {
            return None;
        }
        self.words.get(&addr).map(|&len| len.into())
    }

    /// Whether a thread released the lock, which is no word, before one that it had taken later.
    pub(in crate::predict) fn is_unnested(&self, lock: u32) -> bool {
        self.unnested.contains(&lock)
    }

    /// Whether an attempt to take the lock, which is no word, failed.
    pub(in crate::predict) fn has_failed(&self, lock: u32) -> bool {
        !self.failed.is_empty() && self.failed.contains(&lock)
    }

    /// How many are not nested.
    pub(in crate::predict) fn unnested(&self) -> usize {
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
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::predict) struct Learning {
    threads: Vec<Intent>,
    words: FxHashMap<u32, u8>,
    strayed: FxHashSet<u32>,
    unnested: FxHashSet<u32>,
    failed: FxHashSet<u32>,
    /// Words that threads have.
    held: Vec<u32>,
}

impl Learning {
    /// Follows an event.
    pub(in crate::predict) fn follow(&mut self, event: &Event, hidden: bool) {
        let index = event.thread.0 as usize;
        if index >= self.threads.len() {
            self.threads.resize_with(index + 1, Intent::default);
        }
        let intent = &mut self.threads[index];
        let told = intent.tells.take();
        match event.kind {
            EventKind::LockWord { lock, site, change } => {
                intent.tells = site.map(|site| (lock, site)).or(told);
                match change {
                    LockChange::Wanted { .. } => intent.wants = Some(lock),
                    LockChange::Taken { mode, .. } => {
                        intent.wants = intent.wants.filter(|&wanted| wanted != lock);
                        if mode == LockMode::Shared || self.held.len() >= MAX_HELD {
                            self.strayed_at(lock);
                        } else {
                            self.held.push(lock);
                        }
                    }
                    LockChange::Left { .. } => self.held.retain(|&held| held != lock),
                    LockChange::Busy => {}
                }
            }
            EventKind::ThreadExit(_) => *intent = Intent::default(),
            EventKind::LockFail { lock, .. } => {
                self.failed.insert(lock);
            }
            _ => {}
        }
        if !hidden {
            self.used(event, told);
        }
    }

    /// A word is used: by the atomic access that was `told` of, which takes or leaves a lock, or otherwise.
    fn used(&mut self, event: &Event, told: Option<(u32, SiteId)>) {
        let woken = |step| match step {
            WaitStep::End {
                on: WokenOn::Futex(addr),
                outcome: WaitOutcome::Woken,
            } => Some((addr, None)),
            _ => None,
        };
        let atomic = |touched: Touched| match touched.by {
            TouchedBy::Atomic(_) => Some((touched.addr, touched.site.zip(touched.len))),
            _ => None,
        };
        let touched = event.kind.touches().and_then(atomic);
        let Some((addr, access)) = touched.or_else(|| event.kind.waits().and_then(woken)) else {
            return;
        };
        match access {
            Some((site, len)) if told == Some((addr, site)) => {
                self.words.insert(addr, len as u8);
            }
            _ if self.threads[event.thread.0 as usize].wants != Some(addr) => self.strayed_at(addr),
            _ => {}
        }
    }

    /// These bytes are written by a plain access.
    #[inline]
    pub(in crate::predict) fn written(&mut self, addr: u32, len: u32) {
        if self.held.is_empty() {
            return;
        }
        let within = |&word: &u32| word.wrapping_sub(addr) < len || addr.wrapping_sub(word) < 4;
        while let Some(index) = self.held.iter().position(within) {
            let word = self.held.swap_remove(index);
            self.strayed_at(word);
        }
    }

    /// The word was used in a way that is not told of.
    fn strayed_at(&mut self, addr: u32) {
        self.strayed.insert(addr);
    }

    /// A thread leaves the lock before one that it took later.
    pub(in crate::predict) fn not_nested(&mut self, lock: u32, word: bool) {
        match word {
            true => self.strayed.insert(lock),
            false => self.unnested.insert(lock),
        };
    }

    /// What was learned when the trace ended, of words as well if there are `accesses` in it. Without them, it is not known what
    /// threads learn from each other while they have a lock, so to reverse their sections would be a guess.
    pub(in crate::predict) fn finish(self, accesses: bool) -> Locks {
        let mut words = self.words;
        words.retain(|addr, _| accesses && !self.strayed.contains(addr));
        Locks {
            words,
            unnested: self.unnested,
            failed: self.failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AtomicKind, ThreadId};

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
            word(Some(FAST), LockChange::Busy),
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
            &[section(1), wait[3..].to_vec(), section(2)].concat()
        ));
    }

    #[test]
    fn any_other_atomic_strays() {
        let other = |kind| vec![(2, atomic(OTHER, kind))];
        for kind in [Load, AtomicKind::Store, ReadModifyWrite] {
            assert!(!is_lock(&[section(1), other(kind)].concat()), "{kind:?}");
            assert!(!is_lock(&[other(kind), section(1)].concat()), "{kind:?}");
        }
        // A look may decide whether the thread asks for the lock.
        let wants = vec![(2, wanted())];
        assert!(!is_lock(&[section(1), other(Load), wants].concat()));
    }

    #[test]
    fn a_plain_write_to_a_lock_that_is_held_strays() {
        let mut learning = Learning::default();
        for kind in [taken(), atomic(FAST, ReadModifyWrite)] {
            let thread = ThreadId(1);
            learning.follow(&Event { thread, kind }, false);
        }
        learning.written(LOCK - 4, 4);
        learning.written(LOCK + 4, 4);
        assert!(learning.strayed.is_empty());
        learning.written(LOCK - 4, 16);
        assert_eq!(learning.finish(true).word(LOCK), None);
    }

    #[test]
    fn what_others_may_take_as_well_strays() {
        let (mode, fallible) = (LockMode::Shared, false);
        let shared = word(Some(FAST), LockChange::Taken { mode, fallible });
        assert!(!is_lock(&[section(1), vec![(2, shared)]].concat()));
    }
}
