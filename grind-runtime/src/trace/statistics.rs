//! What a trace has, counted: events by kind and by thread, and how locks were taken.
//!
//! Whether an event takes a lock is decided by the state of locks that the detectors follow
//! ([`LockState`]), so that a lock with hooks and one that is a word in memory count alike.

use super::Entry;
use crate::model::locks::{Change, LockState};
use crate::model::meaning::{LockStep, LockToldBy, OfLock};
use crate::model::{EventKind, ThreadId};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Threads, and locks, that are counted apart; of further ones only their events are counted.
const MOST: usize = 1 << 20;

/// What was done with a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockUse {
    /// What the guest calls it.
    pub name: Option<String>,
    /// How often a thread took it that did not have it.
    pub acquires: u64,
    /// Those of them during which other threads did something.
    pub contended: u64,
    /// What others did during them, in events.
    pub waited: u64,
}

/// What a thread did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadUse {
    /// Everything but plain accesses and calls.
    pub events: u64,
    /// Plain accesses, calls and returns.
    pub records: u64,
}

/// Counts of a trace. See [`Statistics::add`].
#[derive(Debug, Default)]
pub struct Statistics {
    /// All events.
    pub events: u64,
    /// Decisions of the scheduler.
    pub decisions: u64,
    /// Answers of the host, random bits included.
    pub answers: u64,
    /// Events by the name of their kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// By thread.
    pub threads: BTreeMap<ThreadId, ThreadUse>,
    /// By address. A lock that was only named has no acquires.
    pub locks: BTreeMap<u32, LockUse>,
    /// Threads and locks beyond the first 2^20 of each were left out.
    pub left_out: bool,
    states: FxHashMap<ThreadId, Followed>,
}

/// What is known of a thread.
#[derive(Debug, Default)]
struct Followed {
    locks: LockState,
    /// Since when it asks for a lock: number of the event, of all and of its own.
    asked: Option<(u64, u64)>,
}

impl Statistics {
    /// Counts the next entry of a trace, which has so many records if it is [`Entry::Records`].
    pub fn add(&mut self, entry: &Entry, records: u64) {
        match entry {
            Entry::Slice { .. } => self.decisions += 1,
            Entry::Input(_) | Entry::Act { .. } | Entry::Random(_) => self.answers += 1,
            Entry::Records(thread) => {
                if let Some(thread) = self.thread(*thread) {
                    thread.records += records;
                }
            }
            Entry::Event(event) => {
                self.events += 1;
                *self.kinds.entry(event.kind.name()).or_default() += 1;
                if let Some(thread) = self.thread(event.thread) {
                    thread.events += 1;
                    let own = thread.events;
                    self.follow(event.thread, own, &event.kind);
                }
            }
        }
    }

    fn thread(&mut self, thread: ThreadId) -> Option<&mut ThreadUse> {
        if self.threads.len() >= MOST && !self.threads.contains_key(&thread) {
            self.left_out = true;
            return None;
        }
        Some(self.threads.entry(thread).or_default())
    }

    fn lock(&mut self, lock: u32) -> Option<&mut LockUse> {
        if self.locks.len() >= MOST && !self.locks.contains_key(&lock) {
            self.left_out = true;
            return None;
        }
        Some(self.locks.entry(lock).or_default())
    }

    /// An event of a thread, which is the `own`th of its own.
    fn follow(&mut self, thread: ThreadId, own: u64, kind: &EventKind) {
        let number = self.events;
        let state = self.states.entry(thread).or_default();
        let asks = match kind.locks() {
            Some(OfLock {
                step: LockStep::Ask { .. },
                told_by,
                ..
            }) => told_by != LockToldBy::Hooks || !state.locks.in_hook(),
            _ => false,
        };
        if asks {
            state.asked = Some((number, own));
        }
        let change = state.locks.follow(kind, Vec::new);
        let taken = match change {
            Change::Taken { .. } => state.locks.held().last().map(|held| held.lock),
            _ => None,
        };
        let waited = match taken.and_then(|_| state.asked.take()) {
            Some((since, before)) => (number - since) - (own - before),
            None => 0,
        };
        if let EventKind::ThreadExit(_) = kind {
            self.states.remove(&thread);
        }
        if let EventKind::LockName { lock, name } = kind
            && let Some(lock) = self.lock(*lock)
        {
            lock.name = Some(name.clone());
        }
        if let Some(lock) = taken.and_then(|lock| self.lock(lock)) {
            lock.acquires += 1;
            lock.contended += u64::from(waited > 0);
            lock.waited += waited;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Event, LockChange, LockMode};

    fn of(events: &[(u32, EventKind)]) -> Statistics {
        let mut statistics = Statistics::default();
        for (thread, kind) in events {
            let event = Event {
                thread: ThreadId(*thread),
                kind: kind.clone(),
            };
            statistics.add(&Entry::Event(event), 0);
        }
        statistics
    }

    #[test]
    fn a_lock_that_is_a_word_counts_as_one_with_hooks_does() {
        let mode = LockMode::Exclusive;
        let request = EventKind::LockRequest {
            lock: 8,
            mode,
            fallible: false,
        };
        let word = |change| EventKind::LockWord {
            lock: 8,
            site: None,
            change,
        };
        let other = || {
            (
                1,
                EventKind::Fence {
                    site: crate::model::sites::SiteId(0),
                },
            )
        };
        let hooks = of(&[
            (0, request),
            other(),
            (0, EventKind::LockAcquire { lock: 8, mode }),
        ]);
        let words = of(&[
            (0, word(LockChange::Wanted { mode })),
            other(),
            (
                0,
                word(LockChange::Taken {
                    mode,
                    fallible: false,
                }),
            ),
        ]);
        let contended = LockUse {
            name: None,
            acquires: 1,
            contended: 1,
            waited: 1,
        };
        assert_eq!(hooks.locks[&8], contended);
        assert_eq!(words.locks[&8], contended);
        let free = of(&[(
            0,
            word(LockChange::Taken {
                mode,
                fallible: false,
            }),
        )]);
        assert_eq!((free.locks[&8].acquires, free.locks[&8].contended), (1, 0));
    }
}
