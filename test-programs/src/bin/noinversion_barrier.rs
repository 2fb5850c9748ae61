//! The twin of inversion_ab_ba with a barrier: both take the locks in one order, meet, and take them in the other.

use threadlink::sync::{TracingBarrier, TracingMutex};
use threadlink::thread;

static A: TracingMutex<u32> = TracingMutex::new(0);
static B: TracingMutex<u32> = TracingMutex::new(0);
static MEET: TracingBarrier = TracingBarrier::new(2);

fn both(first: &TracingMutex<u32>, second: &TracingMutex<u32>) {
    let mut first = first.lock();
    let mut second = second.lock();
    *first += 1;
    *second += 1;
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
    let threads = [thread::spawn(phases), thread::spawn(phases)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
