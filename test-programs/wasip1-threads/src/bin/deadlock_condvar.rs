//! A notification comes before anybody waits, and nobody looked whether there is something to wait for.

use std::sync::{Condvar, Mutex};
use std::thread;

static LOCK: Mutex<()> = Mutex::new(());
static CHANGED: Condvar = Condvar::new();

fn main() {
    thread::spawn(|| CHANGED.notify_one()).join().unwrap();
    let guard = LOCK.lock().unwrap();
    drop(CHANGED.wait(guard).unwrap()); //~ deadlock(1)
}
