//! A reader-writer lock in four words.
//!
//! Threads that cannot have the lock wait on `epoch`, which every release changes, and then all try
//! again. A writer that waits keeps new readers out, so that it gets its turn.

use core::time::Duration;
use std::sync::atomic::AtomicU32;
// The order of a store to `state` and a load of `waiting`, against the opposite in another thread,
// matters; nothing weaker gives that, and wasm has nothing weaker either.
use std::sync::atomic::Ordering::SeqCst;

use lock_api::GuardNoSend;

use super::{deadline_after, left_until, wait, wake_all};
use crate::time::Instant;

/// The state while a writer has the lock; otherwise it is the number of readers.
const WRITER: u32 = u32::MAX;

/// A reader-writer lock that blocks in `memory.atomic.wait32`.
#[derive(Debug)]
pub struct RawRwLock {
    state: AtomicU32,
    /// Writers that wait.
    writers: AtomicU32,
    /// Threads that wait, readers and writers.
    waiting: AtomicU32,
    /// How often a thread that waits was told to look again.
    epoch: AtomicU32,
}

impl RawRwLock {
    fn try_acquire_shared(&self) -> bool {
        self.writers.load(SeqCst) == 0
            && self
                .state
                .try_update(SeqCst, SeqCst, |readers| {
                    // The last reader before WRITER would be taken for one.
                    (readers < WRITER - 1).then(|| readers + 1)
                })
                .is_ok()
    }

    fn try_acquire_exclusive(&self) -> bool {
        self.state
            .compare_exchange(0, WRITER, SeqCst, SeqCst)
            .is_ok()
    }

    #[cold]
    fn acquire_shared_contended(&self, deadline: Option<Instant>) -> bool {
        self.block(deadline, || self.try_acquire_shared())
    }

    #[cold]
    fn acquire_exclusive_contended(&self, deadline: Option<Instant>) -> bool {
        self.writers.fetch_add(1, SeqCst);
        let acquired = self.block(deadline, || self.try_acquire_exclusive());
        if self.writers.fetch_sub(1, SeqCst) == 1 && !acquired {
            // Readers were kept out for our sake.
            self.wake();
        }
        acquired
    }

    /// Waits until `attempt` succeeds. Returns `false` if the time was up first.
    fn block(&self, deadline: Option<Instant>, attempt: impl Fn() -> bool) -> bool {
        self.waiting.fetch_add(1, SeqCst);
        let acquired = loop {
            // Before the attempt: whatever makes the next one succeed changes the epoch after this.
            let epoch = self.epoch.load(SeqCst);
            if attempt() {
                break true;
            }
            let Ok(timeout) = left_until(deadline) else {
                break false;
            };
            wait(&self.epoch, epoch, timeout);
        };
        self.waiting.fetch_sub(1, SeqCst);
        acquired
    }

    fn wake(&self) {
        if self.waiting.load(SeqCst) != 0 {
            self.epoch.fetch_add(1, SeqCst);
            wake_all(&self.epoch);
        }
    }
}

// SAFETY: a writer moves the state from 0 to WRITER, readers move it between numbers below that; all
// of it is sequentially consistent.
unsafe impl lock_api::RawRwLock for RawRwLock {
    const INIT: RawRwLock = RawRwLock {
        state: AtomicU32::new(0),
        writers: AtomicU32::new(0),
        waiting: AtomicU32::new(0),
        epoch: AtomicU32::new(0),
    };

    type SharedGuard = GuardNoSend;
    type ExclusiveGuard = GuardNoSend;

    #[inline]
    fn lock_shared(&self) -> GuardNoSend {
        if !self.try_acquire_shared() {
            self.acquire_shared_contended(None);
        }
        GuardNoSend::new()
    }

    #[inline]
    fn try_lock_shared(&self) -> Option<GuardNoSend> {
        self.try_acquire_shared().then(GuardNoSend::new)
    }

    #[inline]
    unsafe fn unlock_shared(&self, _: GuardNoSend) {
        if self.state.fetch_sub(1, SeqCst) == 1 {
            self.wake();
        }
    }

    #[inline]
    fn lock_exclusive(&self) -> GuardNoSend {
        if !self.try_acquire_exclusive() {
            self.acquire_exclusive_contended(None);
        }
        GuardNoSend::new()
    }

    #[inline]
    fn try_lock_exclusive(&self) -> Option<GuardNoSend> {
        self.try_acquire_exclusive().then(GuardNoSend::new)
    }

    #[inline]
    unsafe fn unlock_exclusive(&self, _: GuardNoSend) {
        self.state.store(0, SeqCst);
        self.wake();
    }

    fn is_locked(&self) -> bool {
        self.state.load(SeqCst) != 0
    }

    fn is_locked_exclusive(&self) -> bool {
        self.state.load(SeqCst) == WRITER
    }
}

// SAFETY: the state goes from WRITER to one reader, never by way of 0.
unsafe impl lock_api::RawRwLockDowngrade for RawRwLock {
    unsafe fn downgrade(&self, _: GuardNoSend) -> GuardNoSend {
        self.state.store(1, SeqCst);
        self.wake();
        GuardNoSend::new()
    }
}

// SAFETY: as for the lock itself.
unsafe impl lock_api::RawRwLockTimed for RawRwLock {
    type Duration = Duration;
    type Instant = Instant;

    fn try_lock_shared_for(&self, timeout: Duration) -> Option<GuardNoSend> {
        // The clock is read only if there is something to wait for.
        (self.try_acquire_shared() || self.acquire_shared_contended(deadline_after(timeout)))
            .then(GuardNoSend::new)
    }

    fn try_lock_shared_until(&self, timeout: Instant) -> Option<GuardNoSend> {
        (self.try_acquire_shared() || self.acquire_shared_contended(Some(timeout)))
            .then(GuardNoSend::new)
    }

    fn try_lock_exclusive_for(&self, timeout: Duration) -> Option<GuardNoSend> {
        (self.try_acquire_exclusive() || self.acquire_exclusive_contended(deadline_after(timeout)))
            .then(GuardNoSend::new)
    }

    fn try_lock_exclusive_until(&self, timeout: Instant) -> Option<GuardNoSend> {
        (self.try_acquire_exclusive() || self.acquire_exclusive_contended(Some(timeout)))
            .then(GuardNoSend::new)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    type RwLock<T> = lock_api::RwLock<RawRwLock, T>;

    #[test]
    fn writers_exclude_everybody() {
        let rounds = if cfg!(miri) { 10 } else { 500 };
        let pair = RwLock::new((0_u32, 0_u32));
        thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    for _ in 0..rounds {
                        let mut pair = pair.write();
                        pair.0 += 1;
                        thread::yield_now();
                        pair.1 += 1;
                    }
                });
                s.spawn(|| {
                    for _ in 0..rounds {
                        let pair = pair.read();
                        assert_eq!(pair.0, pair.1);
                    }
                });
            }
        });
        assert!(!pair.is_locked());
        assert_eq!(pair.into_inner(), (2 * rounds, 2 * rounds));
    }

    #[test]
    fn readers_share() {
        let lock = RwLock::new(());
        let one = lock.read();
        let two = lock.try_read();
        assert!(two.is_some());
        assert!(!lock.is_locked_exclusive());
        drop((one, two));
        assert!(lock.try_write().is_some());
    }

    #[test]
    fn a_waiting_writer_keeps_readers_out_until_it_gives_up() {
        let lock = RwLock::new(());
        let reader = lock.read();
        thread::scope(|s| {
            let writer = s.spawn(|| lock.try_write_for(Duration::from_millis(50)).is_some());
            while lock.try_read().is_some() {
                thread::yield_now();
            }
            let late = s.spawn(|| drop(lock.read()));
            assert!(!writer.join().unwrap());
            late.join().unwrap();
        });
        drop(reader);
    }

    #[test]
    fn downgrading_lets_readers_in_and_writers_not() {
        let lock = RwLock::new(1);
        let writer = lock.write();
        thread::scope(|s| {
            let waiting = s.spawn(|| *lock.read());
            let reader = lock_api::RwLockWriteGuard::downgrade(writer);
            assert_eq!(waiting.join().unwrap(), 1);
            assert!(lock.try_write().is_none());
            assert!(lock.try_write_until(Instant::now()).is_none());
            drop(reader);
        });
    }
}
