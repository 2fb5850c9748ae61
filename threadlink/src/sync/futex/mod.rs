//! Raw locks of a few words, blocking on `memory.atomic.wait32` or, where the instruction cannot be had on stable
//! Rust, in a queue of std's.
//!
//! They spin nowhere: under a scheduler that runs one thread at a time spinning only takes time from
//! the thread that is waited for.
//!
//! Also compiled for this crate's native tests, on the queues.

mod condvar;
mod mutex;
mod rwlock;

use core::time::Duration;
use std::sync::atomic::AtomicU32;

pub use condvar::RawCondvar;
pub use mutex::RawMutex;
pub use rwlock::RawRwLock;

use crate::time::Instant;

/// How long to wait: for ever, or no longer than this.
type Timeout = Option<Duration>;

/// When a wait that started now would end; `None` if that is too far off to say, which is for ever.
fn deadline_after(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// What is left until `deadline`: `Err` when there is nothing.
fn left_until(deadline: Option<Instant>) -> Result<Timeout, ()> {
    match deadline {
        None => Ok(None),
        Some(deadline) => match deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(()),
            left => Ok(Some(left)),
        },
    }
}

/// Blocks while the word is `expected`, until it is woken. Returns `false` if the time was up, `true`
/// otherwise: woken, for whatever reason, or not blocked at all.
fn wait(word: &AtomicU32, expected: u32, timeout: Timeout) -> bool {
    imp::wait(word, expected, timeout)
}

/// Wakes one thread that waits on the word.
fn wake_one(word: &AtomicU32) {
    imp::wake(word, 1);
}

/// Wakes all threads that wait on the word.
fn wake_all(word: &AtomicU32) {
    imp::wake(word, u32::MAX);
}

#[cfg(all(target_os = "unknown", not(test)))]
mod imp {
    use super::*;
    use core::arch::wasm32;

    pub(super) fn wait(word: &AtomicU32, expected: u32, timeout: Timeout) -> bool {
        // More than 292 years is for ever.
        let nanos = timeout.map_or(-1, |t| i64::try_from(t.as_nanos()).unwrap_or(-1));
        // SAFETY: the pointer is to a word of shared memory, aligned to 4.
        let outcome = unsafe {
            wasm32::memory_atomic_wait32(word.as_ptr().cast(), expected.cast_signed(), nanos)
        };
        outcome != 2
    }

    pub(super) fn wake(word: &AtomicU32, count: u32) {
        // SAFETY: the pointer is to a word of shared memory, aligned to 4.
        unsafe { wasm32::memory_atomic_notify(word.as_ptr().cast(), count) };
    }
}

/// Where the instructions cannot be had on stable Rust: a table of queues of std.
#[cfg(any(test, not(target_os = "unknown")))]
#[path = "parking.rs"]
mod imp;
