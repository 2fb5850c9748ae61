//! Two threads take two locks in one order, meet at a barrier, and take them in the other order. The twin of
//! inversion_barrier.

use std::sync::{Barrier, Mutex};
use std::thread;

static A: Mutex<u32> = Mutex::new(0);
static B: Mutex<u32> = Mutex::new(0);
static MEET: Barrier = Barrier::new(2);

#[inline(never)]
fn both(first: &Mutex<u32>, second: &Mutex<u32>) {
    let mut first = first.lock().unwrap();
    *second.lock().unwrap() += 1;
    *first += 1;
}

fn phases() {
    for _ in 0..3 {
        both(&A, &B);
        MEET.wait();
        both(&B, &A);
        MEET.wait();
    }
}

fn main() {
    let other = thread::spawn(phases);
    phases();
    other.join().unwrap();
    assert_eq!((*A.lock().unwrap(), *B.lock().unwrap()), (12, 12));
}
