//! Two threads take two of std's mutexes in opposite order. No hook tells of those, so that only the
//! waits show what happened.
//!
//! The threads meet when each has its first one, so that every schedule ends in the deadlock.

use std::sync::{Barrier, Mutex};

use threadlink::thread;

static A: Mutex<()> = Mutex::new(());
static B: Mutex<()> = Mutex::new(());
static BOTH_HAVE_ONE: Barrier = Barrier::new(2);

fn a_then_b() {
    let _a = A.lock().unwrap();
    BOTH_HAVE_ONE.wait();
    let _b = B.lock().unwrap(); //~ deadlock(1)
}

fn b_then_a() {
    let _b = B.lock().unwrap();
    BOTH_HAVE_ONE.wait();
    let _a = A.lock().unwrap(); //~ deadlock(1)
}

fn main() {
    let threads = [thread::spawn(a_then_b), thread::spawn(b_then_a)];
    for thread in threads {
        thread.join().unwrap(); //~ deadlock(1)
    }
}

threadlink::main!(main);
