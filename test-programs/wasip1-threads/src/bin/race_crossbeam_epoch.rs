//! What an epoch protects from being freed, it does not protect from being written to.

use crossbeam::epoch::{self, Atomic};
use std::sync::atomic::Ordering::Acquire;
use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();

fn main() {
    let shared = Atomic::new(Shared::new(0_u32));
    crossbeam::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|_| {
                let guard = &epoch::pin();
                // SAFETY: pinned, and never null.
                let number = unsafe { shared.load(Acquire, guard).deref() };
                MEETING.meet();
                // SAFETY: none, this is the bug.
                unsafe { *number.get() += 1 } //~ race(1) race(1)
            });
        }
    })
    .unwrap();
}
