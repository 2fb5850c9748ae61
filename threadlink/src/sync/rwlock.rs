//! Many readers or one writer.

use lock_api::{RawRwLockDowngrade, RawRwLockTimed};

use super::{RawRwLock, address};
use crate::annotate::TracedLock;
use crate::hooks;

/// A raw reader-writer lock that reports what the `R` within does.
#[derive(Debug)]
pub struct TracingRawRwLock<R = RawRwLock> {
    inner: R,
}

/// A reader-writer lock that reports to the host. See [`lock_api::RwLock`].
pub type TracingRwLock<T> = lock_api::RwLock<TracingRawRwLock, T>;

/// The guard of a reader of a [`TracingRwLock`].
pub type TracingRwLockReadGuard<'a, T> = lock_api::RwLockReadGuard<'a, TracingRawRwLock, T>;

/// The guard of the writer of a [`TracingRwLock`].
pub type TracingRwLockWriteGuard<'a, T> = lock_api::RwLockWriteGuard<'a, TracingRawRwLock, T>;

/// The guard of a reader of a part of what a [`TracingRwLock`] protects.
pub type MappedTracingRwLockReadGuard<'a, T> =
    lock_api::MappedRwLockReadGuard<'a, TracingRawRwLock, T>;

/// The guard of the writer of a part of what a [`TracingRwLock`] protects.
pub type MappedTracingRwLockWriteGuard<'a, T> =
    lock_api::MappedRwLockWriteGuard<'a, TracingRawRwLock, T>;

// SAFETY: `R` excludes, acquires and releases; nothing here touches its state.
unsafe impl<R: lock_api::RawRwLock> lock_api::RawRwLock for TracingRawRwLock<R> {
    const INIT: Self = TracingRawRwLock { inner: R::INIT };

    type SharedGuard = R::SharedGuard;
    type ExclusiveGuard = R::ExclusiveGuard;

    #[inline]
    fn lock_shared(&self) -> R::SharedGuard {
        hooks::start_read_lock(address(self));
        let guard = self.inner.lock_shared();
        hooks::finish_read_lock(address(self));
        guard
    }

    #[inline]
    fn try_lock_shared(&self) -> Option<R::SharedGuard> {
        hooks::start_try_read_lock(address(self));
        let guard = self.inner.try_lock_shared();
        hooks::finish_try_read_lock(address(self), guard.is_some());
        guard
    }

    #[inline]
    unsafe fn unlock_shared(&self, guard: R::SharedGuard) {
        hooks::start_read_unlock(address(self));
        // SAFETY: the caller holds the lock with this guard.
        unsafe { self.inner.unlock_shared(guard) };
        hooks::finish_read_unlock(address(self));
    }

    #[inline]
    fn lock_exclusive(&self) -> R::ExclusiveGuard {
        hooks::start_lock(address(self));
        let guard = self.inner.lock_exclusive();
        hooks::finish_lock(address(self));
        guard
    }

    #[inline]
    fn try_lock_exclusive(&self) -> Option<R::ExclusiveGuard> {
        hooks::start_try_lock(address(self));
        let guard = self.inner.try_lock_exclusive();
        hooks::finish_try_lock(address(self), guard.is_some());
        guard
    }

    #[inline]
    unsafe fn unlock_exclusive(&self, guard: R::ExclusiveGuard) {
        hooks::start_unlock(address(self));
        // SAFETY: the caller holds the lock with this guard.
        unsafe { self.inner.unlock_exclusive(guard) };
        hooks::finish_unlock(address(self));
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.inner.is_locked()
    }

    #[inline]
    fn is_locked_exclusive(&self) -> bool {
        self.inner.is_locked_exclusive()
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockDowngrade> RawRwLockDowngrade for TracingRawRwLock<R> {
    /// Reported as the release of the writer, then the acquisition of a reader. No writer gets in
    /// between, since the real lock is never free.
    #[inline]
    unsafe fn downgrade(&self, guard: R::ExclusiveGuard) -> R::SharedGuard {
        hooks::start_unlock(address(self));
        // SAFETY: the caller holds the lock with this guard.
        let guard = unsafe { self.inner.downgrade(guard) };
        hooks::finish_unlock(address(self));
        hooks::start_read_lock(address(self));
        hooks::finish_read_lock(address(self));
        guard
    }
}

// SAFETY: as above.
unsafe impl<R: RawRwLockTimed> RawRwLockTimed for TracingRawRwLock<R> {
    type Duration = R::Duration;
    type Instant = R::Instant;

    #[inline]
    fn try_lock_shared_for(&self, timeout: R::Duration) -> Option<R::SharedGuard> {
        hooks::start_try_read_lock(address(self));
        let guard = self.inner.try_lock_shared_for(timeout);
        hooks::finish_try_read_lock(address(self), guard.is_some());
        guard
    }

    #[inline]
    fn try_lock_shared_until(&self, timeout: R::Instant) -> Option<R::SharedGuard> {
        hooks::start_try_read_lock(address(self));
        let guard = self.inner.try_lock_shared_until(timeout);
        hooks::finish_try_read_lock(address(self), guard.is_some());
        guard
    }

    #[inline]
    fn try_lock_exclusive_for(&self, timeout: R::Duration) -> Option<R::ExclusiveGuard> {
        hooks::start_try_lock(address(self));
        let guard = self.inner.try_lock_exclusive_for(timeout);
        hooks::finish_try_lock(address(self), guard.is_some());
        guard
    }

    #[inline]
    fn try_lock_exclusive_until(&self, timeout: R::Instant) -> Option<R::ExclusiveGuard> {
        hooks::start_try_lock(address(self));
        let guard = self.inner.try_lock_exclusive_until(timeout);
        hooks::finish_try_lock(address(self), guard.is_some());
        guard
    }
}

impl<R: lock_api::RawRwLock, T: ?Sized> TracedLock for lock_api::RwLock<TracingRawRwLock<R>, T> {
    fn lock_address(&self) -> usize {
        // SAFETY: only the address of the raw lock is used.
        address(unsafe { self.raw() })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hooks::record;
    use crate::thread;

    #[test]
    fn readers_share_and_writers_do_not() {
        let lock = TracingRwLock::new(1);
        let (a, b) = (lock.read(), lock.read());
        assert_eq!(*a + *b, 2);
        assert!(lock.try_write().is_none());
        assert!(lock.try_write_for(Duration::from_millis(1)).is_none());
        drop((a, b));
        let writer = lock.write();
        assert!(lock.try_read().is_none());
        assert!(lock.try_read_for(Duration::from_millis(1)).is_none());
        drop(writer);
        assert!(lock.try_read().is_some());
    }

    #[test]
    fn hooks_in_order() {
        let lock = TracingRwLock::new(0);
        drop(lock.read());
        let writer = lock.write();
        assert!(lock.try_read().is_none());
        drop(lock_api::RwLockWriteGuard::downgrade(writer));
        let calls = record::take(lock.lock_address());
        let names: Vec<&str> = calls.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names,
            [
                "start_read_lock",
                "finish_read_lock",
                "start_read_unlock",
                "finish_read_unlock",
                "start_lock",
                "finish_lock",
                "start_try_read_lock",
                "finish_try_read_lock",
                // the downgrade
                "start_unlock",
                "finish_unlock",
                "start_read_lock",
                "finish_read_lock",
                // the end of the reader
                "start_read_unlock",
                "finish_read_unlock",
            ]
        );
        assert_eq!(calls[7].1, [0], "not acquired");
    }

    #[test]
    fn a_downgraded_writer_lets_readers_in() {
        let lock = TracingRwLock::new(1);
        let mut writer = lock.write();
        *writer = 2;
        let reader = lock_api::RwLockWriteGuard::downgrade(writer);
        thread::scope(|s| {
            s.spawn(|| assert_eq!(*lock.read(), 2));
        });
        assert!(lock.try_write().is_none());
        drop(reader);
        assert!(lock.try_write().is_some());
    }
}
