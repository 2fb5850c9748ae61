//! Scoped threads share a variable on the stack of the thread that spawned them.

use test_programs::Shared;
use threadlink::thread;

fn main() {
    let total = Shared::new(0_u32);
    thread::scope(|s| {
        // The handles are kept: dropping that of a thread that ended is the last use of its Arc, which
        // would order the thread before what follows.
        let _one = s.spawn(|| {
            // SAFETY: none, this is the bug.
            unsafe { *total.get() += 1 } //~ race(1)
        });
        let _two = s.spawn(|| {
            // SAFETY: none, this is the bug.
            unsafe { *total.get() += 2 } //~ race(1)
        });
    });
}

threadlink::main!(main);
