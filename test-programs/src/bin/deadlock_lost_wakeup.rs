//! The waiter looks at the flag without the lock, and waits for a notification that was in between.
//!
//! Shows only in schedules where it is.
//@ seeds: some

use std::sync::atomic::{AtomicBool, Ordering};

use threadlink::sync::{TracingCondvar, TracingMutex};
use threadlink::thread;

static READY: AtomicBool = AtomicBool::new(false);
static LOCK: TracingMutex<()> = TracingMutex::new(());
static CHANGED: TracingCondvar = TracingCondvar::new();

fn wait() {
    if !READY.load(Ordering::Acquire) {
        thread::yield_now();
        let mut guard = LOCK.lock();
        CHANGED.wait(&mut guard); //~ deadlock(1)
    }
}

fn main() {
    let waiter = thread::spawn(wait);
    READY.store(true, Ordering::Release);
    CHANGED.notify_one();
    waiter.join().unwrap(); //~ deadlock(1)
}

threadlink::main!(main);
