//! Two threads take two locks in opposite order.
//!
//! They meet when each has its first one, so that every schedule ends in the deadlock.

use threadlink::sync::{TracingBarrier, TracingMutex};
use threadlink::{annotate, thread};

static A: TracingMutex<()> = TracingMutex::new(());
static B: TracingMutex<()> = TracingMutex::new(());
static BOTH_HAVE_ONE: TracingBarrier = TracingBarrier::new(2);

fn a_then_b() {
    let _a = A.lock();
    BOTH_HAVE_ONE.wait();
    let _b = B.lock(); //~ deadlock(1)
}

fn b_then_a() {
    let _b = B.lock();
    BOTH_HAVE_ONE.wait();
    let _a = A.lock(); //~ deadlock(1)
}

fn main() {
    annotate::lock_name(&A, "A");
    annotate::lock_name(&B, "B");
    let threads = [thread::spawn(a_then_b), thread::spawn(b_then_a)];
    for thread in threads {
        thread.join().unwrap(); //~ deadlock(1)
    }
}

threadlink::main!(main);
