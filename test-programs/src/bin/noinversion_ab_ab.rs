//! The twin of inversion_ab_ba: both threads take A first.

use std::sync::atomic::{AtomicBool, Ordering};

use threadlink::sync::TracingMutex;
use threadlink::thread;

static A: TracingMutex<u32> = TracingMutex::new(0);
static B: TracingMutex<u32> = TracingMutex::new(0);
static FIRST_IS_DONE: AtomicBool = AtomicBool::new(false);

fn a_then_b() {
    {
        let mut a = A.lock();
        let mut b = B.lock();
        *a += 1;
        *b += 1;
    }
    FIRST_IS_DONE.store(true, Ordering::Release);
}

fn a_then_b_later() {
    while !FIRST_IS_DONE.load(Ordering::Acquire) {
        thread::yield_now();
    }
    {
        // One at a time is no order.
        *B.lock() += 1;
        *A.lock() += 1;
    }
    let mut a = A.lock();
    let mut b = B.lock();
    *a += 1;
    *b += 1;
}

fn main() {
    let threads = [thread::spawn(a_then_b), thread::spawn(a_then_b_later)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
