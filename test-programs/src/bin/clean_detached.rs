//! Threads whose handles are dropped. Their stacks are used again by those that come later.
//@ stdout: 12

use std::sync::atomic::{AtomicU32, Ordering};

use threadlink::thread;

static DONE: AtomicU32 = AtomicU32::new(0);

fn work() {
    DONE.fetch_add(1, Ordering::Release);
}

fn main() {
    for round in 1..=4 {
        for _ in 0..3 {
            drop(thread::spawn(work));
        }
        while DONE.load(Ordering::Acquire) < 3 * round {
            thread::yield_now();
        }
    }
    threadlink::println!("{}", DONE.load(Ordering::Acquire));
}

threadlink::main!(main);
