//! A run seen from outside: how far it is, and the wish that it stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Shared between a run and whoever watches it, possibly on another OS thread.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    words: AtomicU64,
    threads_ended: AtomicU64,
}

impl Control {
    /// Asks the run to end at its next scheduling point; it ends as timed out.
    pub fn request_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Words of records so far; see [`RunStats::words`](super::RunStats::words).
    #[must_use]
    pub fn words(&self) -> u64 {
        self.words.load(Ordering::Relaxed)
    }

    /// Threads that have ended so far.
    #[must_use]
    pub fn threads_ended(&self) -> u64 {
        self.threads_ended.load(Ordering::Relaxed)
    }

    pub(super) fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn count_words(&self, count: u64) {
        self.words.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn thread_ended(&self) {
        self.threads_ended.fetch_add(1, Ordering::Relaxed);
    }
}
