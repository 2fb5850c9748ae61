//! Locks used against their rules: releasing one that the thread does not hold.
//!
//! **Finds** a `LockRelease`, or a `CondvarWait` on its lock, by a thread that did not take the lock since it
//! last released it.
//!
//! **Misses** locks without hooks, and a release in the wrong mode of a lock that the thread does hold (some
//! locks may be downgraded, and hooks do not tell).
//!
//! **Falsely reports** locks that were taken before their hooks were told of it, and locks that may be handed from
//! thread to thread, such as semaphores used through lock hooks.
//!
//! **Cost**: a look at the few locks the thread holds, per release.

use super::context::Contexts;
use super::diagnosis::{Diagnosed, Diagnosis};
use crate::trace::ThreadId;

/// At most this many distinct ones are kept; others count towards nothing.
const MAX_KEPT: usize = 1000;

/// Every misuse found, in order of first occurrence.
#[derive(Debug, Default)]
pub(super) struct LockMisuse {
    found: Vec<(u64, Diagnosed)>,
}

impl LockMisuse {
    /// `thread` released `lock` without holding it. To be called before its holders lose it.
    pub(super) fn unlock_not_held(
        &mut self,
        contexts: &Contexts,
        thread: ThreadId,
        lock: u32,
        position: u64,
    ) {
        let stack = contexts
            .get(thread)
            .map(|context| context.stack(None))
            .unwrap_or_default();
        let known = self.found.iter_mut().find(|(_, known)| {
            matches!(&known.diagnosis, Diagnosis::UnlockNotHeld { lock: l, stack: s, .. }
                if *l == lock && *s == stack)
        });
        if let Some((_, known)) = known {
            known.count += 1;
        } else if self.found.len() < MAX_KEPT {
            let holders = contexts
                .holders(lock)
                .map(|(holder, held)| (holder, held.stack.clone()))
                .collect();
            let name = contexts.lock_name(lock);
            let diagnosis = Diagnosis::UnlockNotHeld {
                lock,
                name,
                thread,
                stack,
                holders,
            };
            self.found.push((
                position,
                Diagnosed {
                    diagnosis,
                    count: 1,
                },
            ));
        }
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// With the position of the first occurrence, in that order.
    pub(super) fn into_found(self) -> Vec<(u64, Diagnosed)> {
        self.found
    }
}
