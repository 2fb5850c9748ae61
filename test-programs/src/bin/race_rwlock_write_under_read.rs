//! Two readers of a reader-writer lock write what it protects.
//!
//! Both have the lock before either writes, so that its internals cannot order them.

use test_programs::Shared;
use threadlink::sync::{TracingBarrier, TracingRwLock};
use threadlink::thread;

static CACHE: TracingRwLock<Shared<u32>> = TracingRwLock::new(Shared::new(0));
static BOTH_READ: TracingBarrier = TracingBarrier::new(2);

fn refresh() {
    let cache = CACHE.read();
    BOTH_READ.wait();
    // SAFETY: none, this is the bug.
    unsafe { *cache.get() = 7 } //~ race(1) race(1)
}

fn main() {
    let threads = [thread::spawn(refresh), thread::spawn(refresh)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
