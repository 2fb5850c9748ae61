//! Which locks a thread has, which it asks for, and whether it is inside of one, as its events tell.
//!
//! A lock with hooks hides its inside: nothing that the thread does is visible from where a hook begins (`LockRequest`,
//! `LockRelease`, `CondvarWait`, `CondvarNotify`) to where it ends, as between `HideBegin` and `HideEnd`. All nest. Hooks
//! and words *within* a hook are a lock's own and count for nesting only.
//!
//! A word tells what it is, and breaks no rule.

use super::{EventKind, LockChange, LockMode};
use crate::model::sites::SiteId;

/// A lock that a thread has.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) lock: u32,
    pub(crate) mode: LockMode,
    /// It is a word in memory, and has no hooks.
    pub(crate) word: bool,
    /// It was taken in a hidden function.
    pub(crate) hidden: bool,
    /// As often as it was taken.
    pub(crate) count: u32,
    pub(crate) stack: Vec<SiteId>,
}

/// A hook that began and has not ended.
#[derive(Clone, Debug)]
pub(crate) enum Hook {
    /// Asks for a lock.
    Lock {
        lock: u32,
        mode: LockMode,
        fallible: bool,
    },
    /// Releases a lock.
    Unlock { lock: u32 },
    /// Waits on a condition variable, without the lock that it had.
    Wait {
        condvar: u32,
        lock: u32,
        /// How it held the lock, and how often.
        had: Option<(LockMode, u32)>,
    },
    /// Notifies a condition variable.
    Notify { condvar: u32 },
}

/// A lock that is a word in memory, from when its thread asks for it until it has it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) lock: u32,
    pub(crate) mode: LockMode,
    stack: Vec<SiteId>,
}

/// What an event changes.
#[derive(Debug)]
pub(crate) enum Change {
    Nothing,
    /// The thread has a lock that it had not, in this mode: the last of [`LockState::held`].
    Taken {
        fallible: bool,
    },
    /// It has a lock no longer; those that it took later are still in [`LockState::held`], from `index` on.
    Left {
        held: Held,
        index: usize,
    },
    /// It releases a lock that it does not have.
    NotHeld,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct LockState {
    hide_depth: u32,
    hooks: Vec<Hook>,
    held: Vec<Held>,
    wanted: Option<Wanted>,
}

impl LockState {
    /// Whether what the thread does now is not to be seen.
    #[inline]
    pub(crate) fn hidden(&self) -> bool {
        self.hide_depth > 0 || self.in_hook()
    }

    /// Whether it is inside a hook.
    #[inline]
    pub(crate) fn in_hook(&self) -> bool {
        !self.hooks.is_empty()
    }

    /// The outermost hook that it is in.
    pub(crate) fn hook(&self) -> Option<&Hook> {
        self.hooks.first()
    }

    /// The locks that it has, in the order in which it took them.
    pub(crate) fn held(&self) -> &[Held] {
        &self.held
    }

    /// The word that it asks for.
    pub(crate) fn wanted(&self) -> Option<&Wanted> {
        self.wanted.as_ref()
    }

    /// Follows an event of the thread. `stack` is where it is.
    pub(crate) fn follow(
        &mut self,
        kind: &EventKind,
        stack: impl FnOnce() -> Vec<SiteId>,
    ) -> Change {
        match *kind {
            EventKind::HideBegin => self.hide_depth += 1,
            EventKind::HideEnd => self.hide_depth = self.hide_depth.saturating_sub(1),
            EventKind::LockRequest {
                lock,
                mode,
                fallible,
            } => self.hooks.push(Hook::Lock {
                lock,
                mode,
                fallible,
            }),
            EventKind::LockAcquire { lock, mode } => {
                let fallible = matches!(
                    self.end(
                        |hook| matches!(hook, Hook::Lock { lock: asked, .. } if *asked == lock)
                    ),
                    Some(Hook::Lock { fallible: true, .. })
                );
                if !self.in_hook() {
                    return self.take((lock, mode), false, 1, fallible, stack);
                }
            }
            EventKind::LockFail { lock, .. } => {
                self.end(|hook| matches!(hook, Hook::Lock { lock: asked, .. } if *asked == lock));
            }
            EventKind::LockRelease { lock, mode } => {
                let change = match self.in_hook() {
                    true => Change::Nothing,
                    false => self.leave((lock, mode), false),
                };
                self.hooks.push(Hook::Unlock { lock });
                return change;
            }
            EventKind::LockReleased { lock } => {
                self.end(|hook| matches!(hook, Hook::Unlock { lock: left } if *left == lock));
            }
            EventKind::CondvarWait { condvar, lock } => {
                let change = match self.in_hook() {
                    true => Change::Nothing,
                    false => self.lose(lock).unwrap_or(Change::NotHeld),
                };
                let had = match &change {
                    Change::Left { held, .. } => Some((held.mode, held.count)),
                    _ => None,
                };
                self.hooks.push(Hook::Wait { condvar, lock, had });
                return change;
            }
            EventKind::CondvarWake { condvar, lock, .. } => {
                let hook = self.end(
                    |hook| matches!(hook, Hook::Wait { condvar: waited, .. } if *waited == condvar),
                );
                let had = match hook {
                    Some(Hook::Wait { had, .. }) => had,
                    _ => None,
                };
                if !self.in_hook() {
                    let (mode, count) = had.unwrap_or((LockMode::Exclusive, 1));
                    return self.take((lock, mode), false, count, false, stack);
                }
            }
            EventKind::CondvarFail { condvar, lock } => {
                let hook = self.end(
                    |hook| matches!(hook, Hook::Wait { condvar: waited, .. } if *waited == condvar),
                );
                if let Some(Hook::Wait {
                    had: Some((mode, count)),
                    ..
                }) = hook
                    && !self.in_hook()
                {
                    return self.take((lock, mode), false, count, false, stack);
                }
            }
            EventKind::CondvarNotify { condvar, .. } => self.hooks.push(Hook::Notify { condvar }),
            EventKind::CondvarNotified { condvar } => {
                self.end(|hook| matches!(hook, Hook::Notify { condvar: told } if *told == condvar));
            }
            EventKind::LockWord { lock, change, .. } => match change {
                LockChange::Wanted { .. } | LockChange::Taken { .. } if self.in_hook() => {}
                LockChange::Wanted { mode } => {
                    let stack = stack();
                    self.wanted = Some(Wanted { lock, mode, stack });
                }
                LockChange::Taken { mode, fallible } => {
                    // Where it asked is the same place, whether or not it had to wait.
                    let wanted = self.wanted.take().filter(|wanted| wanted.lock == lock);
                    return self.take((lock, mode), true, 1, fallible, || {
                        wanted.map_or_else(stack, |wanted| wanted.stack)
                    });
                }
                LockChange::Left { mode } => match self.leave((lock, mode), true) {
                    Change::NotHeld => {}
                    change => return change,
                },
                LockChange::Busy => {}
            },
            _ => {}
        }
        Change::Nothing
    }

    /// The thread has this lock, which is no word, no longer, however often it took it. None if it did not have it.
    pub(crate) fn lose(&mut self, lock: u32) -> Option<Change> {
        let of = |held: &Held| held.lock == lock && !held.word;
        let index = self.held.iter().rposition(of)?;
        let held = self.held.remove(index);
        Some(Change::Left { held, index })
    }

    /// What it has, which nobody will release: it is done, and may still be inside of something hidden.
    pub(crate) fn abandon(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.held)
    }

    /// The thread ended. Its locks are held still.
    pub(crate) fn end_thread(&mut self) {
        self.hooks = Vec::new();
        self.hide_depth = 0;
        self.wanted = None;
    }

    fn end(&mut self, is: impl Fn(&Hook) -> bool) -> Option<Hook> {
        self.hooks.pop_if(|hook| is(hook))
    }

    fn take(
        &mut self,
        (lock, mode): (u32, LockMode),
        word: bool,
        count: u32,
        fallible: bool,
        stack: impl FnOnce() -> Vec<SiteId>,
    ) -> Change {
        let same = |held: &&mut Held| (held.lock, held.mode, held.word) == (lock, mode, word);
        if let Some(held) = self.held.iter_mut().find(same) {
            held.count += count;
            return Change::Nothing;
        }
        self.held.push(Held {
            lock,
            mode,
            word,
            hidden: self.hide_depth > 0,
            count,
            stack: stack(),
        });
        Change::Taken { fallible }
    }

    /// Leaves a lock once: as it was taken in this mode, if it was, else in the other.
    fn leave(&mut self, (lock, mode): (u32, LockMode), word: bool) -> Change {
        let of = |mode: Option<LockMode>| {
            self.held.iter().rposition(|held| {
                (held.lock, held.word) == (lock, word) && mode.is_none_or(|mode| held.mode == mode)
            })
        };
        let Some(index) = of(Some(mode)).or_else(|| of(None)) else {
            return Change::NotHeld;
        };
        self.held[index].count -= 1;
        if self.held[index].count > 0 {
            return Change::Nothing;
        }
        let held = self.held.remove(index);
        Change::Left { held, index }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LockMode::{Exclusive, Shared};

    const LOCK: u32 = 8;
    const CONDVAR: u32 = 16;

    fn follow(state: &mut LockState, kinds: &[EventKind]) -> Vec<Change> {
        let follow = |kind| state.follow(kind, Vec::new);
        kinds.iter().map(follow).collect()
    }

    fn ask(mode: LockMode) -> [EventKind; 2] {
        let (lock, fallible) = (LOCK, false);
        let request = EventKind::LockRequest {
            lock,
            mode,
            fallible,
        };
        [request, EventKind::LockAcquire { lock, mode }]
    }

    fn release(mode: LockMode) -> [EventKind; 2] {
        let lock = LOCK;
        [
            EventKind::LockRelease { lock, mode },
            EventKind::LockReleased { lock },
        ]
    }

    fn counts(state: &LockState) -> Vec<(LockMode, u32)> {
        let held = state.held().iter();
        held.map(|held| (held.mode, held.count)).collect()
    }

    #[test]
    fn a_lock_is_left_as_often_as_it_was_taken() {
        let mut state = LockState::default();
        follow(&mut state, &[ask(Exclusive), ask(Exclusive)].concat());
        assert_eq!(counts(&state), [(Exclusive, 2)]);
        // The last one may be told in another mode: who releases does not always know.
        let changes = follow(&mut state, &[release(Exclusive), release(Shared)].concat());
        assert!(matches!(
            &changes[2],
            Change::Left { held, .. } if held.mode == Exclusive
        ));
        assert!(matches!(
            follow(&mut state, &release(Shared))[0],
            Change::NotHeld
        ));
    }

    #[test]
    fn a_wait_gives_the_lock_back_as_it_was() {
        let mut state = LockState::default();
        let (condvar, lock) = (CONDVAR, LOCK);
        follow(&mut state, &[ask(Exclusive), ask(Exclusive)].concat());
        follow(&mut state, &[EventKind::CondvarWait { condvar, lock }]);
        assert!(state.hidden() && state.held().is_empty());
        // The lock's own inside.
        follow(&mut state, &[release(Exclusive), ask(Exclusive)].concat());
        assert!(state.held().is_empty());
        let timed_out = false;
        follow(
            &mut state,
            &[EventKind::CondvarWake {
                condvar,
                lock,
                timed_out,
            }],
        );
        assert_eq!(counts(&state), [(Exclusive, 2)]);
        assert!(!state.hidden());
    }

    #[test]
    fn a_word_within_a_hook_is_the_lock_s_own() {
        let mut state = LockState::default();
        let (mode, fallible) = (Exclusive, false);
        let word = |change| EventKind::LockWord {
            lock: LOCK,
            site: None,
            change,
        };
        let taken = word(LockChange::Taken { mode, fallible });
        let [request, acquire] = ask(Exclusive);
        follow(&mut state, &[request, taken.clone(), acquire]);
        assert_eq!(counts(&state), [(Exclusive, 1)]);
        assert!(!state.held()[0].word);
        // Beside it, the two are told apart.
        follow(&mut state, &[taken, word(LockChange::Left { mode })]);
        assert_eq!(counts(&state), [(Exclusive, 1)]);
        assert!(!state.held()[0].word);
    }
}
