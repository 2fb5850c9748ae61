//! What the guests share.

use std::cell::UnsafeCell;
use std::hint::black_box;
use std::sync::Barrier;

/// Memory that threads may share without any rule: what races are made of.
pub struct Shared<T>(UnsafeCell<T>);

// SAFETY: none is promised, see above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Memory that holds `value`.
    pub const fn new(value: T) -> Shared<T> {
        Shared(UnsafeCell::new(value))
    }

    /// Where the memory is. The compiler does not learn it, so it neither joins nor leaves out accesses.
    #[inline(always)]
    pub fn get(&self) -> *mut T {
        black_box(self.0.get())
    }
}

/// Where the two threads of a race meet, right before their accesses. Whatever ordered them until here has no say
/// in the accesses, for both are to come when both are here; so they are unordered in every schedule. To be used
/// once: who leaves last takes the same lock as who comes first to the next round.
pub struct Meeting(Barrier);

impl Meeting {
    /// Of two threads.
    #[expect(clippy::new_without_default, reason = "used in statics")]
    pub const fn new() -> Meeting {
        Meeting(Barrier::new(2))
    }

    /// Waits for the other one.
    pub fn meet(&self) {
        self.0.wait();
    }
}
