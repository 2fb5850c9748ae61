//! Three threads take two locks; two of them meet at a barrier, and take them in the other order from then on. The third,
//! which does not come to the barrier, may still be about to take them in the first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

static A: Mutex<u32> = Mutex::new(0);
static B: Mutex<u32> = Mutex::new(0);
static MEET: Barrier = Barrier::new(2);
/// The third is done.
static DONE: AtomicBool = AtomicBool::new(false);

#[inline(never)]
fn both(first: &Mutex<u32>, second: &Mutex<u32>) {
    let mut first = first.lock().unwrap();
    let mut second = second.lock().unwrap(); //~ lock-order-inversion(1) lock-order-inversion(1)
    *second += 1;
    *first += 1;
}

fn phases() {
    both(&A, &B);
    MEET.wait();
    both(&B, &A);
}

fn main() {
    let third = thread::spawn(|| {
        both(&A, &B);
        DONE.store(true, Ordering::Release);
    });
    while !DONE.load(Ordering::Acquire) {
        thread::yield_now();
    }
    let other = thread::spawn(phases);
    phases();
    other.join().unwrap();
    third.join().unwrap();
    assert_eq!((*A.lock().unwrap(), *B.lock().unwrap()), (5, 5));
}
