//! A meeting of threads.

use std::sync::Barrier;

use super::address;
use crate::annotate::TracedLock;
use crate::hooks;

pub use std::sync::BarrierWaitResult;

/// Lets a number of threads wait for each other, again and again, and reports to the host. See
/// [`std::sync::Barrier`], which it is within.
///
/// ```
/// use threadlink::sync::TracingBarrier;
/// use threadlink::thread;
///
/// let barrier = TracingBarrier::new(3);
/// let led = thread::scope(|s| {
///     let threads = [(); 3].map(|()| s.spawn(|| barrier.wait().is_leader()));
///     threads.map(|thread| thread.join().unwrap())
/// });
/// assert_eq!(led.into_iter().filter(|&led| led).count(), 1);
/// ```
#[derive(Debug)]
pub struct TracingBarrier {
    inner: Barrier,
}

impl TracingBarrier {
    /// A barrier for `n` threads; 0 counts as 1.
    #[must_use]
    pub const fn new(n: usize) -> TracingBarrier {
        TracingBarrier {
            inner: Barrier::new(n),
        }
    }

    /// Blocks until as many threads wait as the barrier is for. One of them is told that it is the
    /// leader. What all of them did before happens before what any of them does after.
    pub fn wait(&self) -> BarrierWaitResult {
        hooks::start_barrier(address(self));
        let result = self.inner.wait();
        hooks::finish_barrier(address(self));
        result
    }
}

impl TracedLock for TracingBarrier {
    fn lock_address(&self) -> usize {
        address(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::hooks::record;
    use crate::thread;

    #[test]
    fn nobody_passes_before_all_have_come() {
        const ROUNDS: u32 = 10;
        let barrier = TracingBarrier::new(3);
        let arrived = AtomicU32::new(0);
        let leaders = AtomicU32::new(0);
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    for round in 1..=ROUNDS {
                        arrived.fetch_add(1, Ordering::Relaxed);
                        if barrier.wait().is_leader() {
                            leaders.fetch_add(1, Ordering::Relaxed);
                        }
                        assert!(arrived.load(Ordering::Relaxed) >= 3 * round);
                    }
                });
            }
        });
        assert_eq!(leaders.into_inner(), ROUNDS);
        let calls = record::take_names(barrier.lock_address());
        let starts = calls.iter().filter(|name| **name == "start_barrier");
        assert_eq!(starts.count(), 3 * ROUNDS as usize);
        assert_eq!(calls.len(), 6 * ROUNDS as usize);
        assert_eq!(calls[..3], ["start_barrier"; 3]);
    }
}
