//! Main waits for a notification that nobody gives: whoever would has to be joined first.
//@ says: deadlock: T0 main waits for a notification of the condition variable
//@ says: (std::sync::Condvar); no thread is left that could notify it

use std::sync::{Condvar, Mutex};
use std::thread;

static READY: Mutex<bool> = Mutex::new(false);
static CHANGED: Condvar = Condvar::new();

fn main() {
    let thread = thread::spawn(|| *READY.lock().unwrap() = false);
    let mut ready = READY.lock().unwrap();
    while !*ready {
        ready = CHANGED.wait(ready).unwrap(); //~ deadlock(1)
    }
    thread.join().unwrap();
}
