//! Two threads take a mutex and a read-write lock of parking_lot in opposite order, one after the other.

use parking_lot::{Mutex, RwLock};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

static A: Mutex<u32> = Mutex::new(0);
static B: RwLock<u32> = RwLock::new(0);
static FIRST_IS_DONE: AtomicBool = AtomicBool::new(false);

fn a_then_b() {
    {
        let mut a = A.lock();
        let mut b = B.write(); //~ lock-order-inversion(1)
        *a += 1;
        *b += 1;
    }
    FIRST_IS_DONE.store(true, Ordering::Release);
}

fn b_then_a() {
    while !FIRST_IS_DONE.load(Ordering::Acquire) {
        thread::yield_now();
    }
    let b = B.read();
    let mut a = A.lock(); //~ lock-order-inversion(1)
    *a += *b;
}

fn main() {
    let threads = [thread::spawn(a_then_b), thread::spawn(b_then_a)];
    for thread in threads {
        thread.join().unwrap();
    }
}
