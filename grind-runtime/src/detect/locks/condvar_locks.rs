//! Condition variables that are waited on with two locks at a time.
//!
//! **Finds** a `CondvarWait` with another lock than that of a thread which is blocked in a wait on the same condition variable. POSIX
//! leaves undefined what happens then (`pthread_cond_wait`: a binding to one mutex lasts while a thread is blocked), and std's and
//! parking_lot's condition variables may panic. DRD of Valgrind checks this as well.
//!
//! **Misses** condition variables without hooks, and waits that did not overlap in this run. Whoever was notified, or whose futex wait
//! has ended, counts as blocked no more, though another may have been meant.
//!
//! **Never falsely reports**, provided that the hooks of a wait are around its blocking.
//!
//! **Cost**: an entry for each thread that waits.

use crate::detect::common::detector::{At, Detector, End, Found, Results};
use crate::detect::common::diagnosis::{Diagnosis, Note, Related, Word};
use crate::detect::common::kind::FindingKind;
use crate::model::meaning::{LockStep, LockToldBy, OfLock, WaitStep};
use crate::model::{EventKind, ThreadId};
use std::collections::BTreeMap;

/// A thread that waits on a condition variable.
#[derive(Debug)]
struct Waiter {
    condvar: u32,
    lock: u32,
    /// Nobody has notified it, and its wait has begun and not ended.
    blocked: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::detect) struct CondvarLocks {
    waiters: BTreeMap<ThreadId, Waiter>,
    found: Found,
}

impl CondvarLocks {
    fn waits(&mut self, at: &At<'_>, condvar: u32, lock: u32) {
        let thread = at.event.thread;
        let other = self
            .waiters
            .iter()
            .find(|(_, waiter)| waiter.blocked && waiter.condvar == condvar && waiter.lock != lock);
        if let Some((&other, waiter)) = other {
            let stack = at.contexts.stack(thread);
            let kind = FindingKind::CondvarTwoLocks;
            let same = |known: &Diagnosis| matches!(known, Diagnosis::Note(note) if note.kind == kind && note.stack == stack);
            let object = |address| Word::Object(address, at.contexts.lock_name(address));
            let new = || {
                let waits = |thread, lock| {
                    vec![
                        "thread ".into(),
                        Word::Thread(thread),
                        " waits with the lock ".into(),
                        object(lock),
                    ]
                };
                let title = vec![
                    Word::Thread(thread),
                    " waits on the condition variable ".into(),
                    object(condvar),
                    " with the lock ".into(),
                    object(lock),
                    ", while ".into(),
                    Word::Thread(other),
                    " waits there with ".into(),
                    object(waiter.lock),
                ];
                Diagnosis::Note(Note {
                    kind,
                    title,
                    heading: waits(thread, lock),
                    thread,
                    stack: stack.clone(),
                    related: vec![Related {
                        heading: waits(other, waiter.lock),
                        thread: other,
                        stack: at.contexts.stack(other),
                    }],
                })
            };
            self.found.add(at.position, same, new);
        }
        let waiter = Waiter {
            condvar,
            lock,
            blocked: false,
        };
        self.waiters.insert(thread, waiter);
    }
}

impl Detector for CondvarLocks {
    fn event(&mut self, at: &At<'_>) {
        let (thread, kind) = (at.event.thread, &at.event.kind);
        if let Some(OfLock {
            lock,
            step,
            told_by: LockToldBy::Condvar { condvar },
        }) = kind.locks()
        {
            match step {
                LockStep::Leave { .. } if !at.hidden => self.waits(at, condvar, lock),
                LockStep::Take { .. } => drop(self.waiters.remove(&thread)),
                _ => {}
            }
            return;
        }
        if self.waiters.is_empty() {
            return;
        }
        match kind {
            EventKind::CondvarNotify { condvar, .. } => {
                let of = (self.waiters.values_mut()).filter(|waiter| waiter.condvar == *condvar);
                of.for_each(|waiter| waiter.blocked = false);
            }
            EventKind::CondvarFail { .. } | EventKind::ThreadExit(_) => {
                self.waiters.remove(&thread);
            }
            _ => {
                if let (Some(step), Some(waiter)) = (kind.waits(), self.waiters.get_mut(&thread)) {
                    waiter.blocked = matches!(step, WaitStep::Begin { .. });
                }
            }
        }
    }

    fn found_any(&self) -> bool {
        !self.found.is_empty()
    }

    fn finish(self: Box<Self>, _: &End<'_>, results: &mut Results) {
        results.found.extend(self.found.into_list());
    }
}
