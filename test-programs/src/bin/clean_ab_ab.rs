//! The twin of the deadlock_ab_ba family: both threads take the locks in the same order.

use threadlink::sync::TracingMutex;
use threadlink::thread;

static A: TracingMutex<u32> = TracingMutex::new(0);
static B: TracingMutex<u32> = TracingMutex::new(0);

fn a_then_b() {
    for _ in 0..3 {
        let mut a = A.lock();
        thread::yield_now();
        let mut b = B.lock();
        *a += 1;
        *b += *a;
    }
}

fn main() {
    let threads = [thread::spawn(a_then_b), thread::spawn(a_then_b)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
