//! Locks used against their rules.
//!
//! **Finds**
//! - a `LockRelease` by a thread that did not take the lock since it last released it, or a `LockNotReleased`: of a lock
//!   that nobody holds, or of one that others hold;
//! - a `CondvarWait` with a lock that its thread does not hold;
//! - a `LockDestroy` of a lock that somebody holds, be it the same thread;
//! - what [`sync_objects`](crate::detect::locks::sync_objects) finds.
//!
//! **Misses** locks without hooks, a release in the wrong mode of a lock that the thread does hold (some
//! locks may be downgraded, and hooks do not tell), and what a lock does inside another lock's hooks.
//!
//! **Falsely reports** locks that were taken before their hooks were told of it, and locks that may be handed from
//! thread to thread, such as semaphores used through lock hooks.
//!
//! After a misuse the lock counts as free, but not if the lock itself refused. The rules are those of POSIX (`pthread_mutex_unlock`,
//! `pthread_cond_wait`, `pthread_mutex_destroy`), where breaking them is undefined; there is no paper.
//!
//! **Cost**: a look at the few locks the thread holds, per release; at those of all threads, per end of a lock.

use crate::detect::common::context::Contexts;
use crate::detect::common::detector::Found;
use crate::detect::common::diagnosis::{Diagnosed, Diagnosis, Misuse, Wanted};
use crate::detect::locks::sync_objects::Broken;
use crate::model::ThreadId;

/// Every misuse found, in order of first occurrence.
#[derive(Debug, Default)]
pub(in crate::detect) struct LockMisuse {
    found: Found,
}

impl LockMisuse {
    /// `thread` broke a rule of a lock. To be called before its holders lose it.
    pub(in crate::detect) fn add(
        &mut self,
        contexts: &Contexts,
        thread: ThreadId,
        (misuse, lock): (Misuse, u32),
        position: u64,
    ) {
        let (kind, stack, related, after) = (None, None, Vec::new(), None);
        let broken = Broken {
            misuse,
            object: lock,
            kind,
            stack,
            related,
            after,
        };
        self.add_broken(contexts, thread, broken, position);
    }

    /// The same, for rules of all synchronisation objects.
    pub(in crate::detect) fn add_broken(
        &mut self,
        contexts: &Contexts,
        thread: ThreadId,
        broken: Broken,
        position: u64,
    ) {
        let Broken {
            misuse,
            object: lock,
            kind: object,
            stack,
            related,
            after: _,
        } = broken;
        let stack = stack.unwrap_or_else(|| contexts.stack(thread));
        let same = |known: &Diagnosis| {
            matches!(known, Diagnosis::LockMisuse { misuse: m, lock: l, stack: s, .. }
                if *m == misuse && *l == lock && *s == stack)
        };
        // Who took a lock that its thread has still is the finding itself.
        let held = misuse != Misuse::HeldAtThreadEnd;
        let new = || Diagnosis::LockMisuse {
            misuse,
            object,
            lock,
            name: contexts.lock_name(lock),
            thread,
            stack: stack.clone(),
            holders: contexts
                .holders(lock)
                .filter(|_| held)
                .map(|(holder, held)| (holder, held.stack.clone()))
                .collect(),
            related,
        };
        self.found.add(position, same, new);
    }

    /// The run ended in this deadlock: that a thread waits for itself there says that it asked for a lock which it had.
    pub(in crate::detect) fn deadlock(&mut self, deadlock: &Diagnosis) {
        let Diagnosis::Deadlock { blocked, .. } = deadlock else {
            return;
        };
        for waiting in blocked {
            if let Some(Wanted::Lock { lock: wanted, .. }) = waiting.wants {
                self.found.retain(|found| {
                    !matches!(*found, Diagnosis::LockMisuse { misuse: Misuse::Relock, lock, thread, .. }
                        if lock == wanted && thread == waiting.thread)
                });
            }
        }
    }

    /// Whether it was told that the thread asked for this lock, which it had, and waits for itself.
    pub(in crate::detect) fn relocks(&self, by: ThreadId, wanted: u32) -> bool {
        self.found.iter().any(|found| {
            matches!(*found, Diagnosis::LockMisuse { misuse: Misuse::Relock, lock, thread, .. }
                if lock == wanted && thread == by)
        })
    }

    /// Whether there is any.
    pub(in crate::detect) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// With the position of the first occurrence, in that order.
    pub(in crate::detect) fn into_found(self) -> Vec<(u64, Diagnosed)> {
        self.found.into_list()
    }
}
