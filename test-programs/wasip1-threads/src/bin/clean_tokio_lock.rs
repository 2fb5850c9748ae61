//! The twin of `deadlock_tokio`: the lock is released before it is taken again.
//@ stdout: 2

use std::sync::Arc;
use tokio::sync::Mutex;

fn main() {
    let lock = Arc::new(Mutex::new(0));
    for _ in 0..2 {
        *lock.blocking_lock() += 1;
    }
    println!("{}", *lock.blocking_lock());
}
