//! The twin of inversion_ab_ba with joins: those who take the locks in one order are done before those who
//! take them in the other begin.

use threadlink::sync::TracingMutex;
use threadlink::thread;

static A: TracingMutex<u32> = TracingMutex::new(0);
static B: TracingMutex<u32> = TracingMutex::new(0);

fn a_then_b() {
    let mut a = A.lock();
    let mut b = B.lock();
    *a += 1;
    *b += 1;
}

fn b_then_a() {
    let mut b = B.lock();
    let mut a = A.lock();
    *a += 1;
    *b += 1;
}

fn main() {
    // Before there is any other thread.
    a_then_b();
    let threads = [thread::spawn(b_then_a), thread::spawn(b_then_a)];
    for thread in threads {
        thread.join().unwrap();
    }
    thread::spawn(a_then_b).join().unwrap();
    b_then_a();
}

threadlink::main!(main);
