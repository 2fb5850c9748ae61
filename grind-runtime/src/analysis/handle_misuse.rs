//! Handles of threads that are used after they were given up.
//!
//! **Finds** what `HandleMisuse` events tell: the join of a thread that was joined or detached, and the detaching of
//! one. After the first, the handle is nobody's, and its memory may be another thread's: POSIX leaves undefined what
//! happens then. Helgrind and ThreadSanitizer check this as well.
//!
//! **Misses** a handle whose memory was allocated again, and threads that were joined or detached before a thread was created
//! with attributes, which may say that their memory is used again.
//!
//! **Never falsely reports**, provided that the memory of a handle is told when it is allocated.
//!
//! **Cost**: a copy of the stack for each join and detach of a thread that somebody had to join.

use super::context::Contexts;
use super::diagnosis::{Diagnosed, Diagnosis, Stack};
use crate::model::{Event, EventKind, ThreadId};
use rustc_hash::FxHashMap;

/// At most this many distinct ones are kept; others count towards nothing.
const MAX_KEPT: usize = 1000;

/// Threads that were joined or detached and of which it is remembered where. Reports on further ones do not say it.
const MAX_GIVEN_UP: usize = 1 << 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct HandleMisuses {
    /// Who joined or detached a thread, and where.
    given_up: FxHashMap<ThreadId, (ThreadId, Stack)>,
    found: Vec<(u64, Diagnosed)>,
}

impl HandleMisuses {
    /// One event, already followed by the contexts.
    pub(super) fn event(&mut self, contexts: &Contexts, event: &Event, position: u64) {
        let thread = event.thread;
        match event.kind {
            EventKind::ThreadJoin { child } | EventKind::ThreadDetach { child }
                if self.given_up.len() < MAX_GIVEN_UP =>
            {
                let here = (thread, contexts.stack(thread));
                self.given_up.insert(child, here);
            }
            EventKind::HandleMisuse { child, misuse } => {
                let stack = contexts.stack(thread);
                let known = self.found.iter_mut().find(|(_, known)| {
                    matches!(&known.diagnosis, Diagnosis::HandleMisuse { misuse: m, stack: s, .. }
                        if *m == misuse && *s == stack)
                });
                if let Some((_, known)) = known {
                    known.count += 1;
                } else if self.found.len() < MAX_KEPT {
                    let given_up = self.given_up.get(&child).cloned();
                    let diagnosis = Diagnosis::HandleMisuse {
                        misuse,
                        of: child,
                        thread,
                        stack,
                        given_up,
                    };
                    let count = 1;
                    self.found.push((position, Diagnosed { diagnosis, count }));
                }
            }
            _ => {}
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
