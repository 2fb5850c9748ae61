//! The twin of inversion_ab_ba with a gate: whoever takes both locks holds a third one before.

use threadlink::sync::TracingMutex;
use threadlink::thread;

static GATE: TracingMutex<()> = TracingMutex::new(());
static A: TracingMutex<u32> = TracingMutex::new(0);
static B: TracingMutex<u32> = TracingMutex::new(0);

fn a_then_b() {
    let _gate = GATE.lock();
    let mut a = A.lock();
    thread::yield_now();
    let mut b = B.lock();
    *a += 1;
    *b += 1;
}

fn b_then_a() {
    let _gate = GATE.lock();
    let mut b = B.lock();
    thread::yield_now();
    let mut a = A.lock();
    *a += 1;
    *b += 1;
}

fn main() {
    let threads = [thread::spawn(a_then_b), thread::spawn(b_then_a)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
