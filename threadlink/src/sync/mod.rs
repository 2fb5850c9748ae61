//! Locks that tell the thread host what they do, with the interface of `parking_lot`.
//!
//! Each is a [`lock_api`] lock around a raw lock around another raw lock: [`TracingRawMutex<R>`] calls
//! the host before and after it calls the `R` within. So guards, mapping, `try_lock`, time-outs and the
//! rest are `lock_api`'s, and a [`TracingMutex`] is used as a `parking_lot::Mutex` is: no poisoning, no
//! `unwrap`.
//!
//! ```
//! use std::time::Duration;
//! use threadlink::sync::{TracingCondvar, TracingMutex};
//! use threadlink::thread;
//!
//! static QUEUE: TracingMutex<Vec<u32>> = TracingMutex::new(Vec::new());
//! static FILLED: TracingCondvar = TracingCondvar::new();
//!
//! let consumer = thread::spawn(|| {
//!     let mut queue = QUEUE.lock();
//!     FILLED.wait_while(&mut queue, |queue| queue.is_empty());
//!     queue.remove(0)
//! });
//! QUEUE.lock().push(7);
//! FILLED.notify_one();
//! assert_eq!(consumer.join().unwrap(), 7);
//! assert!(QUEUE.try_lock_for(Duration::from_millis(1)).is_some());
//! ```
//!
//! # Hooks
//!
//! With feature `tracing`, on WebAssembly, every operation calls the host when it starts and when it
//! has finished, in the order of truth: an acquisition is reported after it happened, a release
//! *before* it happens. Whatever the raw lock does in between, with atomics and waits of its own, the
//! host may disregard. The address passed is that of the raw lock: the `TracingRawMutex` within a
//! `TracingMutex`, the whole of a `TracingOnce`; [`TracedLock`](crate::annotate::TracedLock) tells it.
//! Without the feature, and on other targets, no trace of the hooks is left.
//!
//! # Which raw locks
//!
//! [`RawMutex`], [`RawRwLock`] and [`RawCondvar`] are
//!
//! - natively, `parking_lot`'s;
//! - on WebAssembly with atomics, this crate's own, a few words each, which block in
//!   `memory.atomic.wait32`. On `wasm32-wasip1-threads`, where stable Rust lacks the instruction, they
//!   block in std's condition variables.
//!
//! `parking_lot`'s panics there as soon as it has to wait, but for its `nightly` feature. On
//! `wasm32-unknown-unknown` its time-outs are [`std::time::Instant`]s, which panic on that target when
//! they are made; and its parking lot is a hash table shared by all locks of the program, whose bucket
//! locks order threads that have nothing to do with each other, which is what hides races from a
//! detector. `TracingRawMutex<R>` accepts any other raw lock too.
//!
//! Time-outs on `wasm32-unknown-unknown` are [`Duration`](core::time::Duration)s and
//! [`threadlink::time::Instant`](crate::time::Instant)s. A `wait_for` uses no clock: it is one
//! `memory.atomic.wait32` with a relative time-out. `try_lock_for` and everything `_until` read the
//! host's monotonic clock.
//!
//! Differences between the two sets: `parking_lot`'s condition variable never wakes spuriously and
//! counts whom it notified; this crate's may, and its `notify_one` and `notify_all` always return
//! `false` and `0`. Both prefer a waiting writer to new readers.
//!
//! Upgradable reads and fair unlocking are not offered: the same code must build on every target.

mod barrier;
mod condvar;
mod mutex;
mod once;
mod reentrant;
mod rwlock;

#[cfg(any(test, all(target_family = "wasm", target_feature = "atomics")))]
#[cfg_attr(
    test,
    expect(unreachable_pub, reason = "exported where these are the raw locks")
)]
pub(crate) mod futex;

pub use lock_api;

pub use self::barrier::{BarrierWaitResult, TracingBarrier};
pub use self::condvar::{TracingCondvar, TracingRawCondvar, WaitTimeoutResult};
pub use self::mutex::{MappedTracingMutexGuard, TracingMutex, TracingMutexGuard, TracingRawMutex};
pub use self::once::{OnceState, TracingOnce};
pub use self::reentrant::{
    MappedTracingReentrantMutexGuard, RawThreadId, TracingReentrantMutex,
    TracingReentrantMutexGuard,
};
pub use self::rwlock::{
    MappedTracingRwLockReadGuard, MappedTracingRwLockWriteGuard, TracingRawRwLock, TracingRwLock,
    TracingRwLockReadGuard, TracingRwLockWriteGuard,
};
pub use crate::sys::locks::{RawCondvar, RawMutex, RawRwLock};

/// What hooks call a lock.
fn address<T>(lock: &T) -> usize {
    core::ptr::from_ref(lock).addr()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{TracingRawCondvar, TracingRawMutex, TracingRawRwLock, futex};
    use crate::thread;

    type Mutex<T> = lock_api::Mutex<TracingRawMutex<futex::RawMutex>, T>;
    type RwLock<T> = lock_api::RwLock<TracingRawRwLock<futex::RawRwLock>, T>;
    type Condvar = lock_api::Condvar<TracingRawCondvar<futex::RawCondvar>>;

    /// What a guest of the ABI gets as `TracingMutex` and so on, put together from the same parts.
    #[test]
    fn other_raw_locks_fit() {
        let queue = Mutex::new(Vec::new());
        let filled = Condvar::new();
        let total = RwLock::new(0);
        thread::scope(|s| {
            s.spawn(|| {
                for _ in 0..10 {
                    let mut queue = queue.lock();
                    filled.wait_while(&mut queue, |queue| queue.is_empty());
                    *total.write() += queue.remove(0);
                }
            });
            for n in 0..10 {
                queue.lock().push(n);
                filled.notify_one();
            }
        });
        assert_eq!(*total.read(), 45);
        assert!(queue.try_lock_for(Duration::ZERO).is_some());
    }
}
