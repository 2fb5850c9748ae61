//! The twin of inversion_ab_ba with an attempt: the thread that has B only tries to take A.

use threadlink::sync::TracingMutex;
use threadlink::thread;

static A: TracingMutex<u32> = TracingMutex::new(0);
static B: TracingMutex<u32> = TracingMutex::new(0);

fn a_then_b() {
    let mut a = A.lock();
    thread::yield_now();
    let mut b = B.lock();
    *a += 1;
    *b += 1;
}

fn b_then_perhaps_a() {
    let mut b = B.lock();
    thread::yield_now();
    if let Some(mut a) = A.try_lock() {
        *a += 1;
    }
    *b += 1;
}

fn main() {
    let threads = [thread::spawn(a_then_b), thread::spawn(b_then_perhaps_a)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
