//! Mutual exclusion.

use lock_api::RawMutexTimed;

use super::{RawMutex, address};
use crate::annotate::TracedLock;
use crate::hooks;

/// A raw mutex that reports what the `R` within does.
#[derive(Debug)]
pub struct TracingRawMutex<R = RawMutex> {
    pub(super) inner: R,
}

/// A mutual exclusion lock that reports to the host. See [`lock_api::Mutex`].
pub type TracingMutex<T> = lock_api::Mutex<TracingRawMutex, T>;

/// The guard of a [`TracingMutex`].
pub type TracingMutexGuard<'a, T> = lock_api::MutexGuard<'a, TracingRawMutex, T>;

/// The guard of a part of what a [`TracingMutex`] protects.
pub type MappedTracingMutexGuard<'a, T> = lock_api::MappedMutexGuard<'a, TracingRawMutex, T>;

// SAFETY: `R` excludes, acquires and releases; nothing here touches its state.
unsafe impl<R: lock_api::RawMutex> lock_api::RawMutex for TracingRawMutex<R> {
    const INIT: Self = TracingRawMutex { inner: R::INIT };

    type Guard = R::Guard;

    #[inline]
    fn lock(&self) -> R::Guard {
        hooks::start_lock(address(self));
        let guard = self.inner.lock();
        hooks::finish_lock(address(self));
        guard
    }

    #[inline]
    fn try_lock(&self) -> Option<R::Guard> {
        hooks::start_try_lock(address(self));
        let guard = self.inner.try_lock();
        hooks::finish_try_lock(address(self), guard.is_some());
        guard
    }

    #[inline]
    unsafe fn unlock(&self, guard: R::Guard) {
        hooks::start_unlock(address(self));
        // SAFETY: the caller holds the lock with this guard.
        unsafe { self.inner.unlock(guard) };
        hooks::finish_unlock(address(self));
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.inner.is_locked()
    }
}

// SAFETY: as above.
unsafe impl<R: RawMutexTimed> RawMutexTimed for TracingRawMutex<R> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[inline]
    fn try_lock_for(&self, timeout: R::Duration) -> Option<R::Guard> {
        hooks::start_try_lock(address(self));
        let guard = self.inner.try_lock_for(timeout);
        hooks::finish_try_lock(address(self), guard.is_some());
        guard
    }

    #[inline]
    fn try_lock_until(&self, timeout: R::Instant) -> Option<R::Guard> {
        hooks::start_try_lock(address(self));
        let guard = self.inner.try_lock_until(timeout);
        hooks::finish_try_lock(address(self), guard.is_some());
        guard
    }
}

impl<R: lock_api::RawMutex, T: ?Sized> TracedLock for lock_api::Mutex<TracingRawMutex<R>, T> {
    fn lock_address(&self) -> usize {
        // SAFETY: only the address of the raw lock is used.
        address(unsafe { self.raw() })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lock_api::RawMutex as _;

    use super::*;
    use crate::hooks::record;
    use crate::thread;
    use crate::time::Instant;

    #[test]
    fn excludes() {
        let counter = TracingMutex::new(0_u32);
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..if cfg!(miri) { 10 } else { 1000 } {
                        let mut counter = counter.lock();
                        let before = *counter;
                        thread::yield_now();
                        *counter = before + 1;
                    }
                });
            }
        });
        assert_eq!(counter.into_inner(), if cfg!(miri) { 40 } else { 4000 });
    }

    #[test]
    fn a_release_is_reported_before_it_happens() {
        /// Looks at what was reported when the real operation runs.
        struct Spy;
        // SAFETY: not a lock at all, but the test never needs one.
        unsafe impl lock_api::RawMutex for Spy {
            const INIT: Self = Spy;
            type Guard = lock_api::GuardSend;
            fn lock(&self) -> Self::Guard {
                assert_eq!(record::take_names(address(self)), ["start_lock"]);
                Self::Guard::new()
            }
            fn try_lock(&self) -> Option<Self::Guard> {
                assert_eq!(record::take_names(address(self)), ["start_try_lock"]);
                None
            }
            unsafe fn unlock(&self, _: Self::Guard) {
                assert_eq!(record::take_names(address(self)), ["start_unlock"]);
            }
            fn is_locked(&self) -> bool {
                false
            }
        }

        // On the heap, so that the zero-sized `Spy` has the address of nothing else.
        struct Padded {
            raw: TracingRawMutex<Spy>,
            _pad: u64,
        }
        let padded = Box::new(Padded {
            raw: TracingRawMutex::INIT,
            _pad: 0,
        });
        let raw = &padded.raw;
        let guard = raw.lock();
        assert_eq!(record::take_names(address(raw)), ["finish_lock"]);
        // SAFETY: locked above.
        unsafe { raw.unlock(guard) };
        assert_eq!(record::take_names(address(raw)), ["finish_unlock"]);
        assert!(raw.try_lock().is_none());
        assert_eq!(
            record::take(address(raw)),
            [("finish_try_lock", vec![0])],
            "the failure is reported"
        );
    }

    #[test]
    fn guards_report_to_the_address_of_the_raw_lock() {
        let mutex = TracingMutex::new([0_u64; 3]);
        drop(mutex.lock());
        let calls = record::take_names(mutex.lock_address());
        assert_eq!(
            calls,
            ["start_lock", "finish_lock", "start_unlock", "finish_unlock"]
        );
    }

    #[test]
    fn attempts_end() {
        let mutex = TracingMutex::new(());
        let guard = mutex.try_lock().expect("nobody has it");
        assert!(mutex.is_locked());
        thread::scope(|s| {
            s.spawn(|| {
                assert!(mutex.try_lock().is_none());
                let start = Instant::now();
                let patience = Duration::from_millis(10);
                assert!(mutex.try_lock_for(patience).is_none());
                assert!(start.elapsed() >= patience);
                assert!(mutex.try_lock_until(Instant::now() + patience).is_none());
            });
        });
        drop(guard);
        assert!(mutex.try_lock_for(Duration::ZERO).is_some());
    }
}
