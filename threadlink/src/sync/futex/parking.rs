//! Waiting on a word, over std's locks.
//!
//! Each word hashes to one of a few queues, and a notification wakes everybody in the queue of its word, as weak as
//! the interface allows: a woken thread looks at its word again. A tracing host disregards all of it, for it happens
//! within lock operations. In one that does not, the queues order threads that share one.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Timeout;

struct Queue {
    /// Taken to look at the word before blocking, and to notify: so no notification comes in between.
    lock: Mutex<()>,
    woken: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, ()> {
        // Nothing panics while it is locked, and there is nothing to be left half done.
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

static QUEUES: [Queue; 64] = [const {
    Queue {
        lock: Mutex::new(()),
        woken: Condvar::new(),
    }
}; 64];

fn queue(word: &AtomicU32) -> &'static Queue {
    // Fibonacci hashing. The words of one lock are neighbours.
    let hash = (word.as_ptr().addr() as u32 / 4).wrapping_mul(0x9E37_79B9);
    &QUEUES[(hash >> 26) as usize]
}

pub(super) fn wait(word: &AtomicU32, expected: u32, timeout: Timeout) -> bool {
    let queue = queue(word);
    let guard = queue.lock();
    if word.load(Ordering::SeqCst) != expected {
        return true;
    }
    match timeout {
        None => {
            drop(queue.woken.wait(guard));
            true
        }
        Some(timeout) => {
            let result = queue.woken.wait_timeout(guard, timeout);
            let (_guard, outcome) = result.unwrap_or_else(PoisonError::into_inner);
            !outcome.timed_out()
        }
    }
}

pub(super) fn wake(word: &AtomicU32, _: u32) {
    let queue = queue(word);
    let guard = queue.lock();
    queue.woken.notify_all();
    drop(guard);
}
