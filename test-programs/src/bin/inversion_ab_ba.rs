//! Two threads take two locks in opposite order, one after the other.
//!
//! A flag makes the second wait for the first, so that no schedule deadlocks. Without it, some would.

use std::sync::atomic::{AtomicBool, Ordering};

use threadlink::sync::TracingMutex;
use threadlink::{annotate, thread};

static A: TracingMutex<u32> = TracingMutex::new(0);
static B: TracingMutex<u32> = TracingMutex::new(0);
static FIRST_IS_DONE: AtomicBool = AtomicBool::new(false);

fn a_then_b() {
    {
        let mut a = A.lock();
        let mut b = B.lock(); //~ lock-order-inversion(1)
        *a += 1;
        *b += 1;
    }
    FIRST_IS_DONE.store(true, Ordering::Release);
}

fn b_then_a() {
    while !FIRST_IS_DONE.load(Ordering::Acquire) {
        thread::yield_now();
    }
    let mut b = B.lock();
    let mut a = A.lock(); //~ lock-order-inversion(1)
    *a += 1;
    *b += 1;
}

fn main() {
    annotate::lock_name(&A, "A");
    annotate::lock_name(&B, "B");
    let threads = [thread::spawn(a_then_b), thread::spawn(b_then_a)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
