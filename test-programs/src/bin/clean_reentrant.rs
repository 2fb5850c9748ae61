//! The twin of deadlock_self_lock: a lock that its owner may lock again.
//@ stdout: 4

use std::cell::Cell;

use threadlink::sync::TracingReentrantMutex;
use threadlink::thread;

static LOCK: TracingReentrantMutex<Cell<u32>> = TracingReentrantMutex::new(Cell::new(0));

fn helper() {
    let count = LOCK.lock();
    count.set(count.get() + 1);
}

fn work() {
    let count = LOCK.lock();
    helper();
    count.set(count.get() + 1);
}

fn main() {
    let threads = [thread::spawn(work), thread::spawn(work)];
    for thread in threads {
        thread.join().unwrap();
    }
    threadlink::println!("{}", LOCK.lock().get());
}

threadlink::main!(main);
