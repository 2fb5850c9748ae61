//! A notification is for those who wait, and nobody does yet. In every schedule.

use threadlink::sync::{TracingCondvar, TracingMutex};
use threadlink::thread;

static LOCK: TracingMutex<()> = TracingMutex::new(());
static CHANGED: TracingCondvar = TracingCondvar::new();

fn wait() {
    let mut guard = LOCK.lock();
    CHANGED.wait(&mut guard); //~ deadlock(1)
}

fn main() {
    CHANGED.notify_all();
    let waiter = thread::spawn(wait);
    waiter.join().unwrap(); //~ deadlock(1)
}

threadlink::main!(main);
