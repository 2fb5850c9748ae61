//! Initialisation that happens once.

use std::sync::Once;

use super::address;
use crate::annotate::TracedLock;
use crate::hooks;

pub use std::sync::OnceState;

/// Runs a closure once, and reports to the host. See [`std::sync::Once`], which it is within: the one
/// lock here that can be poisoned.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use threadlink::sync::TracingOnce;
///
/// static START: TracingOnce = TracingOnce::new();
/// static RUNS: AtomicU32 = AtomicU32::new(0);
///
/// for _ in 0..3 {
///     START.call_once(|| {
///         RUNS.fetch_add(1, Ordering::Relaxed);
///     });
/// }
/// assert_eq!(RUNS.load(Ordering::Relaxed), 1);
/// ```
#[derive(Debug)]
pub struct TracingOnce {
    inner: Once,
}

/// Between them the closure runs. Reports the end of one that unwinds, too.
struct Running(usize);

impl Running {
    fn enter(once: usize) -> Running {
        hooks::enter_once(once);
        Running(once)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        hooks::leave_once(self.0);
    }
}

impl TracingOnce {
    /// A once whose closure has not run.
    #[must_use]
    pub const fn new() -> TracingOnce {
        TracingOnce { inner: Once::new() }
    }

    /// Runs `f` if this is the first call. Returns when a closure has run to its end, this one or that
    /// of another thread, and what it did happens before the return.
    ///
    /// # Panics
    ///
    /// If the closure of an earlier call panicked.
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        let once = address(self);
        hooks::start_once(once);
        self.inner.call_once(|| {
            let _running = Running::enter(once);
            f();
        });
        hooks::finish_once(once);
    }

    /// As [`call_once`](Self::call_once), but runs `f` even after an earlier closure panicked.
    pub fn call_once_force<F: FnOnce(&OnceState)>(&self, f: F) {
        let once = address(self);
        hooks::start_once(once);
        self.inner.call_once_force(|state| {
            let _running = Running::enter(once);
            f(state);
        });
        hooks::finish_once(once);
    }

    /// Blocks until a closure has run to its end.
    ///
    /// # Panics
    ///
    /// If a closure panicked.
    pub fn wait(&self) {
        hooks::start_once(address(self));
        self.inner.wait();
        hooks::finish_once(address(self));
    }

    /// Whether a closure has run to its end; if so, what it did happens before the return.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        let completed = self.inner.is_completed();
        if completed {
            // As a `call_once` that finds nothing to do.
            hooks::start_once(address(self));
            hooks::finish_once(address(self));
        }
        completed
    }
}

impl Default for TracingOnce {
    fn default() -> TracingOnce {
        TracingOnce::new()
    }
}

impl TracedLock for TracingOnce {
    fn lock_address(&self) -> usize {
        address(self)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::hooks::record;
    use crate::thread;

    #[test]
    fn runs_once_among_many_threads() {
        let once = TracingOnce::new();
        let runs = AtomicU32::new(0);
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    once.call_once(|| {
                        runs.fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(once.is_completed());
                });
            }
            once.wait();
        });
        assert_eq!(runs.into_inner(), 1);
    }

    #[test]
    fn hooks_surround_the_closure() {
        let once = TracingOnce::default();
        let at = once.lock_address();
        assert!(!once.is_completed());
        once.call_once(|| {
            assert_eq!(record::take_names(at), ["start_once", "enter_once"]);
        });
        assert_eq!(record::take_names(at), ["leave_once", "finish_once"]);
        once.call_once(|| unreachable!("it ran"));
        assert_eq!(record::take_names(at), ["start_once", "finish_once"]);
    }

    #[test]
    fn a_panic_poisons_and_can_be_overcome() {
        let once = TracingOnce::new();
        let panicked = catch_unwind(AssertUnwindSafe(|| once.call_once(|| panic!("on purpose"))));
        assert!(panicked.is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| once.call_once(|| {}))).is_err());
        once.call_once_force(|state| assert!(state.is_poisoned()));
        assert!(once.is_completed());
    }
}
