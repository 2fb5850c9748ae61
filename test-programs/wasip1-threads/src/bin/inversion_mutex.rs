//! Two threads take two mutexes of std in opposite order, one after the other.
//!
//! A flag makes the second wait for the first, so that no schedule deadlocks. Without it, some would.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

static A: Mutex<u32> = Mutex::new(0);
static B: Mutex<u32> = Mutex::new(0);
static FIRST_IS_DONE: AtomicBool = AtomicBool::new(false);

fn a_then_b() {
    {
        let mut a = A.lock().unwrap();
        let mut b = B.lock().unwrap(); //~ lock-order-inversion(1)
        *a += 1;
        *b += 1;
    }
    FIRST_IS_DONE.store(true, Ordering::Release);
}

fn b_then_a() {
    while !FIRST_IS_DONE.load(Ordering::Acquire) {
        thread::yield_now();
    }
    let mut b = B.lock().unwrap();
    let mut a = A.lock().unwrap(); //~ lock-order-inversion(1)
    *a += 1;
    *b += 1;
}

fn main() {
    let threads = [thread::spawn(a_then_b), thread::spawn(b_then_a)];
    for thread in threads {
        thread.join().unwrap();
    }
}
