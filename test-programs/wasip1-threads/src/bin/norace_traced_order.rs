//! The twin of `deadlock_traced`: both threads take the locks in the same order.

use threadlink::sync::TracingMutex;
use threadlink::thread;

static LOCKS: [TracingMutex<u32>; 2] = [TracingMutex::new(0), TracingMutex::new(0)];

fn work() {
    for _ in 0..4 {
        let mut first = LOCKS[0].lock();
        let mut second = LOCKS[1].lock();
        *first += 1;
        *second += 1;
    }
}

fn main() {
    let threads = [thread::spawn(work), thread::spawn(work)];
    for thread in threads {
        thread.join().unwrap();
    }
}
