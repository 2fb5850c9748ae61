//! Scoped threads share a variable on the stack of the thread that spawned them.

use test_programs::Shared;
use threadlink::thread;

fn main() {
    let total = Shared::new(0_u32);
    thread::scope(|s| {
        let first = s.spawn(|| {
            // SAFETY: none, this is the bug.
            unsafe { *total.get() += 1 } //~ race(1)
        });
        s.spawn(|| {
            // SAFETY: none, this is the bug.
            unsafe { *total.get() += 2 } //~ race(1)
        });
        // Not before: dropping the handle of a thread that has ended orders what comes after.
        drop(first);
    });
}

threadlink::main!(main);
