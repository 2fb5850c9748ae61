//! Mutual exclusion of other threads only.

use core::num::NonZeroUsize;

use lock_api::GetThreadId;

use super::{TracingRawMutex, address};
use crate::annotate::TracedLock;

/// Tells threads apart by the address of a thread-local.
#[derive(Debug)]
pub struct RawThreadId;

// SAFETY: thread-locals of live threads are distinct, not empty, and do not move.
unsafe impl GetThreadId for RawThreadId {
    const INIT: Self = RawThreadId;

    fn nonzero_thread_id(&self) -> NonZeroUsize {
        thread_local!(static KEY: u8 = const { 0 });
        KEY.with(|key| NonZeroUsize::from(core::ptr::NonNull::from(key).addr()))
    }
}

/// A mutex that a thread may lock again while it has it, and that reports to the host: the first
/// acquisition and the last release only. See [`lock_api::ReentrantMutex`].
pub type TracingReentrantMutex<T> = lock_api::ReentrantMutex<TracingRawMutex, RawThreadId, T>;

/// The guard of a [`TracingReentrantMutex`].
pub type TracingReentrantMutexGuard<'a, T> =
    lock_api::ReentrantMutexGuard<'a, TracingRawMutex, RawThreadId, T>;

/// The guard of a part of what a [`TracingReentrantMutex`] protects.
pub type MappedTracingReentrantMutexGuard<'a, T> =
    lock_api::MappedReentrantMutexGuard<'a, TracingRawMutex, RawThreadId, T>;

impl<R, G, T> TracedLock for lock_api::ReentrantMutex<TracingRawMutex<R>, G, T>
where
    R: lock_api::RawMutex,
    G: GetThreadId,
    T: ?Sized,
{
    fn lock_address(&self) -> usize {
        // SAFETY: only the address of the raw lock is used.
        address(unsafe { self.raw() })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::*;
    use crate::hooks::record;
    use crate::thread;

    #[test]
    fn nests_in_one_thread_and_excludes_others() {
        let mutex = TracingReentrantMutex::new(Cell::new(0));
        let outer = mutex.lock();
        {
            let inner = mutex.try_lock().expect("this thread has it");
            inner.set(inner.get() + 1);
        }
        thread::scope(|s| {
            s.spawn(|| {
                assert!(mutex.try_lock().is_none());
                assert!(mutex.try_lock_for(Duration::from_millis(1)).is_none());
            });
        });
        assert_eq!(outer.get(), 1);
        drop(outer);
        let calls = record::take_names(mutex.lock_address());
        assert_eq!(calls.first(), Some(&"start_lock"));
        assert_eq!(
            calls
                .iter()
                .filter(|name| !name.contains("try"))
                .collect::<Vec<_>>(),
            [
                &"start_lock",
                &"finish_lock",
                &"start_unlock",
                &"finish_unlock"
            ],
            "nesting is not reported"
        );
    }
}
