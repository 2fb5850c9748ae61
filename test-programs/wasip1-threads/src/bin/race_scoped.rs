//! Two scoped threads write to a variable of the stack that both borrow.

use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

fn main() {
    let meeting = Meeting::new();
    let number = Shared::new(0_u32);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                meeting.meet();
                // SAFETY: none, this is the bug.
                unsafe { *number.get() += 1 } //~ race(1) race(1)
            });
        }
    });
}
