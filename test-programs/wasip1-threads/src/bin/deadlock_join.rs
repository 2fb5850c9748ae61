//! Main joins a thread that wants the lock which main has.

use std::sync::Mutex;
use std::thread;

static LOCK: Mutex<u32> = Mutex::new(0);

fn main() {
    let mut lock = LOCK.lock().unwrap();
    let thread = thread::spawn(|| *LOCK.lock().unwrap() += 1); //~ deadlock(1)
    thread.join().unwrap(); //~ deadlock(1)
    *lock += 1;
}
