//! A run seen from outside: how far it is, and the wish that it stop.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, Weak};

/// Shared between a run and whoever watches it, possibly on another OS thread.
///
/// A run that raced is repeated: it has two passes, numbered from 0.
#[derive(Default)]
pub struct Control {
    /// The present pass.
    pass: AtomicU32,
    /// Passes before this one are to stop.
    stopped_before: AtomicU32,
    /// The run is to be left at the next place where its driver can act.
    interrupted: AtomicBool,
    /// A guest has begun to run.
    begun: AtomicBool,
    words: AtomicU64,
    threads_ended: AtomicU64,
    /// Who sleeps until something happens to the run.
    sleepers: Mutex<Vec<Weak<dyn Sleeper>>>,
}

/// Somebody who sleeps beside a run while no thread of it can go on.
pub(crate) trait Sleeper: Send + Sync {
    /// The run was asked to stop.
    fn wake(&self);
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("pass", &self.pass())
            .field("stop_requested", &self.stop_requested())
            .finish_non_exhaustive()
    }
}

impl Control {
    /// Asks the present pass to end at its next scheduling point; it ends as timed out.
    pub fn request_stop(&self) {
        self.stop_pass(self.pass());
    }

    /// Asks this pass to end, if it has not, and no later one.
    pub fn stop_pass(&self, pass: u32) {
        self.stopped_before.fetch_max(pass + 1, Ordering::Relaxed);
        let sleepers = self.sleepers.lock();
        let sleepers = sleepers.unwrap_or_else(PoisonError::into_inner).clone();
        for sleeper in sleepers.iter().filter_map(Weak::upgrade) {
            sleeper.wake();
        }
    }

    /// Wakes this one when the run is asked to stop, as long as there is one.
    pub(crate) fn wakes(&self, sleeper: Weak<dyn Sleeper>) {
        let mut sleepers = (self.sleepers.lock()).unwrap_or_else(PoisonError::into_inner);
        sleepers.retain(|known| known.strong_count() > 0);
        sleepers.push(sleeper);
    }

    /// Asks a run that is driven to come back to its driver, at the next scheduling point or end of a slice.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub(crate) fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// It came back.
    pub(crate) fn take_interrupt(&self) -> bool {
        self.interrupted.swap(false, Ordering::Relaxed)
    }

    /// The present pass.
    #[must_use]
    pub fn pass(&self) -> u32 {
        self.pass.load(Ordering::Relaxed)
    }

    /// Whether a guest has begun to run. Before, it is compiled and its first instance made, which cannot be
    /// interrupted.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// The same program is about to be run again. What was asked of the pass before does not count.
    pub(crate) fn next_pass(&self) {
        self.pass.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    /// Words of records so far: an access, call or return takes two, or fewer where several share them.
    #[must_use]
    pub fn words(&self) -> u64 {
        self.words.load(Ordering::Relaxed)
    }

    /// Threads that have ended so far.
    #[must_use]
    pub fn threads_ended(&self) -> u64 {
        self.threads_ended.load(Ordering::Relaxed)
    }

    /// Whether the present pass was asked to end. Whatever else takes long and was given the same control asks this.
    #[must_use]
    pub fn stop_requested(&self) -> bool {
        self.stopped_before.load(Ordering::Relaxed) > self.pass()
    }

    pub(crate) fn count_words(&self, count: u64) {
        self.words.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn thread_ended(&self) {
        self.threads_ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_of_one_pass() {
        let control = Control::default();
        assert!(!control.stop_requested());
        control.request_stop();
        assert!(control.stop_requested());
        control.next_pass();
        assert!(!control.stop_requested());
        // A watcher that is late stops nothing.
        control.stop_pass(0);
        assert!(!control.stop_requested());
        control.stop_pass(1);
        assert!(control.stop_requested());
    }
}
