//! Waiting for a condition.

use lock_api::{RawCondvarTimed, RawMutexTimed};

use super::{RawCondvar, TracingRawMutex, address};
use crate::annotate::TracedLock;
use crate::hooks;

pub use lock_api::WaitTimeoutResult;

/// A raw condition variable that reports what the `C` within does, for a [`TracingRawMutex`] around
/// the raw mutex that `C` works with.
#[derive(Debug)]
pub struct TracingRawCondvar<C = RawCondvar> {
    inner: C,
}

/// A condition variable for a [`TracingMutex`](super::TracingMutex) that reports to the host. See
/// [`lock_api::Condvar`], and the [module](super) for whether it wakes spuriously.
pub type TracingCondvar = lock_api::Condvar<TracingRawCondvar>;

// SAFETY: `C` waits atomically and re-acquires. It is given the mutex that the guard is of: a
// `TracingRawMutex` adds nothing to the state of the one within.
unsafe impl<C: lock_api::RawCondvar> lock_api::RawCondvar for TracingRawCondvar<C> {
    const INIT: Self = TracingRawCondvar { inner: C::INIT };

    type RawMutex = TracingRawMutex<C::RawMutex>;

    #[inline]
    unsafe fn wait(
        &self,
        mutex: &Self::RawMutex,
        guard: &mut <C::RawMutex as lock_api::RawMutex>::Guard,
    ) {
        hooks::start_wait(address(self), address(mutex));
        // SAFETY: the caller holds the mutex with this guard.
        unsafe { self.inner.wait(&mutex.inner, guard) };
        hooks::finish_wait(address(self), address(mutex), false);
    }

    #[inline]
    fn notify_one(&self) -> bool {
        hooks::start_notify(address(self), false);
        let notified = self.inner.notify_one();
        hooks::finish_notify(address(self), false);
        notified
    }

    #[inline]
    fn notify_all(&self) -> usize {
        hooks::start_notify(address(self), true);
        let notified = self.inner.notify_all();
        hooks::finish_notify(address(self), true);
        notified
    }
}

// SAFETY: as above.
unsafe impl<C> RawCondvarTimed for TracingRawCondvar<C>
where
    C: RawCondvarTimed,
    C::RawMutex: RawMutexTimed,
{
    fn checked_duration_to_instant(
        timeout: &<C::RawMutex as RawMutexTimed>::Duration,
    ) -> Option<<C::RawMutex as RawMutexTimed>::Instant> {
        C::checked_duration_to_instant(timeout)
    }

    #[inline]
    unsafe fn wait_until(
        &self,
        mutex: &Self::RawMutex,
        guard: &mut <C::RawMutex as lock_api::RawMutex>::Guard,
        timeout: &<C::RawMutex as RawMutexTimed>::Instant,
    ) -> bool {
        hooks::start_wait(address(self), address(mutex));
        // SAFETY: the caller holds the mutex with this guard.
        let timed_out = unsafe { self.inner.wait_until(&mutex.inner, guard, timeout) };
        hooks::finish_wait(address(self), address(mutex), timed_out);
        timed_out
    }

    #[inline]
    unsafe fn wait_for(
        &self,
        mutex: &Self::RawMutex,
        guard: &mut <C::RawMutex as lock_api::RawMutex>::Guard,
        timeout: &<C::RawMutex as RawMutexTimed>::Duration,
    ) -> bool {
        hooks::start_wait(address(self), address(mutex));
        // SAFETY: the caller holds the mutex with this guard.
        let timed_out = unsafe { self.inner.wait_for(&mutex.inner, guard, timeout) };
        hooks::finish_wait(address(self), address(mutex), timed_out);
        timed_out
    }
}

impl<C: lock_api::RawCondvar> TracedLock for lock_api::Condvar<TracingRawCondvar<C>> {
    fn lock_address(&self) -> usize {
        address(self.raw())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hooks::record;
    use crate::sync::TracingMutex;
    use crate::thread;
    use crate::time::Instant;

    #[test]
    fn a_notification_is_waited_for() {
        let ready = TracingMutex::new(false);
        let condvar = TracingCondvar::new();
        thread::scope(|s| {
            let waiter = s.spawn(|| {
                let mut ready = ready.lock();
                while !*ready {
                    condvar.wait(&mut ready);
                }
                *ready = false;
            });
            *ready.lock() = true;
            condvar.notify_all();
            waiter.join().unwrap();
        });
        assert!(!ready.into_inner());
    }

    #[test]
    fn a_timed_wait_ends_and_reports_so() {
        let mutex = TracingMutex::new(());
        let condvar = TracingCondvar::new();
        let patience = Duration::from_millis(10);
        let mut guard = mutex.lock();
        let start = Instant::now();
        assert!(condvar.wait_for(&mut guard, patience).timed_out());
        assert!(start.elapsed() >= patience);
        let deadline = Instant::now() + patience;
        assert!(condvar.wait_until(&mut guard, deadline).timed_out());
        condvar.notify_one();
        let lock = mutex.lock_address();
        assert_eq!(
            record::take(condvar.lock_address()),
            [
                ("start_wait", vec![lock]),
                ("finish_wait", vec![lock, 1]),
                ("start_wait", vec![lock]),
                ("finish_wait", vec![lock, 1]),
                ("start_notify", vec![0]),
                ("finish_notify", vec![0]),
            ]
        );
        // The wait stands for the release and the re-acquisition: no unlock is reported for it.
        assert_eq!(record::take_names(lock), ["start_lock", "finish_lock"]);
    }
}
