//! Two threads take two locks in opposite order, and only a schedule that switches in between shows
//! it. Other schedules show the order of the locks.
//@ seeds: some

use threadlink::sync::TracingMutex;
use threadlink::thread;

static A: TracingMutex<()> = TracingMutex::new(());
static B: TracingMutex<()> = TracingMutex::new(());

fn a_then_b() {
    let _a = A.lock();
    thread::yield_now();
    let _b = B.lock(); //~ deadlock(1) lock-order-inversion(1)
}

fn b_then_a() {
    let _b = B.lock();
    thread::yield_now();
    let _a = A.lock(); //~ deadlock(1) lock-order-inversion(1)
}

fn main() {
    let threads = [thread::spawn(a_then_b), thread::spawn(b_then_a)];
    for thread in threads {
        thread.join().unwrap(); //~ deadlock(1)
    }
}

threadlink::main!(main);
