//! A condition variable in one word, which counts notifications.
//!
//! A waiter reads the count while it has the mutex, and blocks while the count is the same; a
//! notification in between changes it. It is missed only if the count comes round to the same 32-bit
//! number in between.

use core::time::Duration;
use std::sync::atomic::{AtomicU32, Ordering};

use lock_api::{GuardNoSend, RawMutex as _};

use super::{RawMutex, Timeout, deadline_after, wait, wake_all, wake_one};
use crate::time::Instant;

/// A condition variable that blocks in `memory.atomic.wait32`.
///
/// May wake spuriously, so `notify_one` returns `false` and `notify_all` returns 0, always.
#[derive(Debug)]
pub struct RawCondvar {
    notifications: AtomicU32,
}

impl RawCondvar {
    /// Returns whether the time was up.
    ///
    /// # Safety
    ///
    /// The caller has the mutex, by a guard that it keeps.
    unsafe fn wait_timeout(&self, mutex: &RawMutex, timeout: Timeout) -> bool {
        let seen = self.notifications.load(Ordering::Relaxed);
        // SAFETY: the caller has the mutex. Its guard, which has no state, stands for the acquisition
        // below afterwards.
        unsafe { mutex.unlock(GuardNoSend::new()) };
        let in_time = wait(&self.notifications, seen, timeout);
        let _same_as_before = mutex.lock();
        !in_time
    }
}

// SAFETY: the count is read before the mutex is released, so no notification after that is missed;
// the mutex is always re-acquired, and nothing panics in between.
unsafe impl lock_api::RawCondvar for RawCondvar {
    const INIT: RawCondvar = RawCondvar {
        notifications: AtomicU32::new(0),
    };

    type RawMutex = RawMutex;

    unsafe fn wait(&self, mutex: &RawMutex, _: &mut GuardNoSend) {
        // SAFETY: the caller's promise.
        unsafe { self.wait_timeout(mutex, None) };
    }

    fn notify_one(&self) -> bool {
        self.notifications.fetch_add(1, Ordering::Relaxed);
        wake_one(&self.notifications);
        false
    }

    fn notify_all(&self) -> usize {
        self.notifications.fetch_add(1, Ordering::Relaxed);
        wake_all(&self.notifications);
        0
    }
}

// SAFETY: as above; the time is up only when the wait says so.
unsafe impl lock_api::RawCondvarTimed for RawCondvar {
    fn checked_duration_to_instant(timeout: &Duration) -> Option<Instant> {
        deadline_after(*timeout)
    }

    unsafe fn wait_until(&self, mutex: &RawMutex, _: &mut GuardNoSend, timeout: &Instant) -> bool {
        let left = timeout.saturating_duration_since(Instant::now());
        // SAFETY: the caller's promise.
        unsafe { self.wait_timeout(mutex, Some(left)) }
    }

    unsafe fn wait_for(&self, mutex: &RawMutex, _: &mut GuardNoSend, timeout: &Duration) -> bool {
        // SAFETY: the caller's promise.
        unsafe { self.wait_timeout(mutex, Some(*timeout)) }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    type Mutex<T> = lock_api::Mutex<RawMutex, T>;
    type Condvar = lock_api::Condvar<RawCondvar>;

    #[test]
    fn hands_over_back_and_forth() {
        let rounds = if cfg!(miri) { 5 } else { 500 };
        let turn = Mutex::new(0_u32);
        let changed = Condvar::new();
        thread::scope(|s| {
            for me in 0..3 {
                let (turn, changed) = (&turn, &changed);
                s.spawn(move || {
                    for _ in 0..rounds {
                        let mut turn = turn.lock();
                        changed.wait_while(&mut turn, |turn| *turn % 3 != me);
                        *turn += 1;
                        changed.notify_all();
                    }
                });
            }
        });
        assert_eq!(turn.into_inner(), 3 * rounds);
    }

    #[test]
    fn times_out_and_has_the_mutex_again() {
        let mutex = Mutex::new(());
        let condvar = Condvar::new();
        let mut guard = mutex.lock();
        let patience = Duration::from_millis(20);
        let start = Instant::now();
        // Other tests notify the same emulated queue, which is a spurious wake-up here.
        while !condvar.wait_for(&mut guard, patience).timed_out() {}
        assert!(start.elapsed() >= patience);
        while !condvar.wait_until(&mut guard, start).timed_out() {}
        assert!(mutex.is_locked());
        assert!(!condvar.notify_one());
        assert_eq!(condvar.notify_all(), 0);
    }
}
