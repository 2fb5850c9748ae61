//! A mutex in one word: the third design of Drepper, "Futexes Are Tricky" (2011).

use core::time::Duration;
use std::sync::atomic::{AtomicU32, Ordering};

use lock_api::GuardNoSend;

use super::{deadline_after, left_until, wait, wake_one};
use crate::time::Instant;

const FREE: u32 = 0;
const LOCKED: u32 = 1;
/// Locked, and there may be threads that wait.
const CONTENDED: u32 = 2;

/// A mutex that blocks in `memory.atomic.wait32`.
#[derive(Debug)]
pub struct RawMutex {
    state: AtomicU32,
}

impl RawMutex {
    #[inline]
    fn try_acquire(&self) -> bool {
        self.state
            .compare_exchange(FREE, LOCKED, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    #[cold]
    fn acquire_contended(&self, deadline: Option<Instant>) -> bool {
        // Whoever gets the lock here leaves it marked as contended: it cannot know that it was the
        // last to wait. The price is one useless notification.
        while self.state.swap(CONTENDED, Ordering::Acquire) != FREE {
            let Ok(timeout) = left_until(deadline) else {
                return false;
            };
            wait(&self.state, CONTENDED, timeout);
        }
        true
    }
}

// SAFETY: one thread moves the state away from FREE, with acquire order, and the owner moves it back
// with release order.
unsafe impl lock_api::RawMutex for RawMutex {
    const INIT: RawMutex = RawMutex {
        state: AtomicU32::new(FREE),
    };

    type Guard = GuardNoSend;

    #[inline]
    fn lock(&self) -> GuardNoSend {
        if !self.try_acquire() {
            self.acquire_contended(None);
        }
        GuardNoSend::new()
    }

    #[inline]
    fn try_lock(&self) -> Option<GuardNoSend> {
        self.try_acquire().then(GuardNoSend::new)
    }

    #[inline]
    unsafe fn unlock(&self, _: GuardNoSend) {
        if self.state.swap(FREE, Ordering::Release) == CONTENDED {
            wake_one(&self.state);
        }
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.state.load(Ordering::Relaxed) != FREE
    }
}

// SAFETY: as above.
unsafe impl lock_api::RawMutexTimed for RawMutex {
    type Duration = Duration;
    type Instant = Instant;

    fn try_lock_for(&self, timeout: Duration) -> Option<GuardNoSend> {
        // The clock is read only if there is something to wait for.
        (self.try_acquire() || self.acquire_contended(deadline_after(timeout)))
            .then(GuardNoSend::new)
    }

    fn try_lock_until(&self, timeout: Instant) -> Option<GuardNoSend> {
        (self.try_acquire() || self.acquire_contended(Some(timeout))).then(GuardNoSend::new)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    type Mutex<T> = lock_api::Mutex<RawMutex, T>;

    #[test]
    fn excludes() {
        let rounds = if cfg!(miri) { 20 } else { 2000 };
        let counter = Mutex::new(0_u32);
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..rounds {
                        let mut counter = counter.lock();
                        let before = *counter;
                        thread::yield_now();
                        *counter = before + 1;
                    }
                });
            }
        });
        assert!(!counter.is_locked());
        assert_eq!(counter.into_inner(), 4 * rounds);
    }

    #[test]
    fn times_out_while_held_and_not_otherwise() {
        let mutex = Mutex::new(());
        let patience = Duration::from_millis(20);
        let guard = mutex.lock();
        let start = Instant::now();
        assert!(mutex.try_lock().is_none());
        assert!(mutex.try_lock_for(patience).is_none());
        assert!(start.elapsed() >= patience);
        assert!(mutex.try_lock_until(start).is_none());
        thread::scope(|s| {
            let waiter = s.spawn(|| mutex.try_lock_for(Duration::MAX).is_some());
            thread::sleep(Duration::from_millis(1));
            drop(guard);
            assert!(waiter.join().unwrap());
        });
        assert!(mutex.try_lock_until(start).is_some(), "it is free");
    }
}
