//! A lock for tasks, which a thread takes that has it.
//@ says: deadlock: T0 main waits for the lock 0x… (tokio::sync::Mutex), which T0 main took before

use std::sync::Arc;
use tokio::sync::Mutex;

fn main() {
    let lock = Arc::new(Mutex::new(0));
    let first = lock.blocking_lock();
    let second = lock.blocking_lock(); //~ deadlock(1)
    println!("{}", *first + *second);
}
