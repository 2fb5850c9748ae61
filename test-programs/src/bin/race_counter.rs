//! Two threads count up the same number, and nothing orders them.

use test_programs::Shared;
use threadlink::thread;

static COUNTER: Shared<u32> = Shared::new(0);

fn count() {
    for _ in 0..4 {
        // SAFETY: none, this is the bug.
        unsafe { *COUNTER.get() += 1 } //~ race(1) race(1)
    }
}

fn main() {
    let threads = [thread::spawn(count), thread::spawn(count)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
