//! A reader wants to write while another thread reads too, and that one does not end before it has
//! written as well.
//!
//! They meet when both read, so that every schedule ends in the deadlock.

use threadlink::sync::{TracingBarrier, TracingRwLock};
use threadlink::thread;

static TABLE: TracingRwLock<u32> = TracingRwLock::new(0);
static BOTH_READ: TracingBarrier = TracingBarrier::new(2);

fn update() {
    let seen = TABLE.read();
    BOTH_READ.wait();
    *TABLE.write() = *seen + 1; //~ deadlock(1) deadlock(1)
}

fn main() {
    let threads = [thread::spawn(update), thread::spawn(update)];
    for thread in threads {
        thread.join().unwrap(); //~ deadlock(1)
    }
}

threadlink::main!(main);
