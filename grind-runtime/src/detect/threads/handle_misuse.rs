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

use crate::detect::common::detector::{At, Detector, End, Found, Results};
use crate::detect::common::diagnosis::{Diagnosis, Stack};
use crate::model::{EventKind, ThreadId};
use rustc_hash::FxHashMap;

/// Threads that were joined or detached and of which it is remembered where. Reports on further ones do not say it.
const MAX_GIVEN_UP: usize = 1 << 16;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::detect) struct HandleMisuses {
    /// Who joined or detached a thread, and where.
    given_up: FxHashMap<ThreadId, (ThreadId, Stack)>,
    found: Found,
}

impl Detector for HandleMisuses {
    fn event(&mut self, at: &At<'_>) {
        let thread = at.event.thread;
        match at.event.kind {
            EventKind::ThreadJoin { child } | EventKind::ThreadDetach { child }
                if self.given_up.len() < MAX_GIVEN_UP =>
            {
                let here = (thread, at.contexts.stack(thread));
                self.given_up.insert(child, here);
            }
            EventKind::HandleMisuse { child, misuse } => {
                let stack = at.contexts.stack(thread);
                let same = |known: &Diagnosis| {
                    matches!(known, Diagnosis::HandleMisuse { misuse: m, stack: s, .. }
                        if *m == misuse && *s == stack)
                };
                let new = || Diagnosis::HandleMisuse {
                    misuse,
                    of: child,
                    thread,
                    stack: stack.clone(),
                    given_up: self.given_up.get(&child).cloned(),
                };
                self.found.add(at.position, same, new);
            }
            _ => {}
        }
    }

    fn found_any(&self) -> bool {
        !self.found.is_empty()
    }

    fn finish(self: Box<Self>, _: &End<'_>, results: &mut Results) {
        results.found.extend(self.found.into_list());
    }
}
