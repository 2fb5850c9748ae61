//! A thread reads again under a lock that it reads already, and a writer waits in between: std prefers writers.
//@ says: deadlock between T0 main and T1 `writer`
//@ says: (behind T1 `writer`, which waits to write)
//@ says: (held by T0 main)
//@ says: T0 main waits to read lock

use std::sync::{Arc, RwLock};
use std::thread;

fn main() {
    let lock = Arc::new(RwLock::new(0));
    let same = Arc::clone(&lock);
    let first = lock.read().unwrap();
    let writer = move || *same.write().unwrap() += 1; //~ deadlock(1)
    let writer = thread::Builder::new().name("writer".into()).spawn(writer).unwrap();
    while lock.try_read().is_ok() {
        thread::yield_now();
    }
    let second = lock.read().unwrap(); //~ deadlock(1)
    println!("{}", *first + *second);
    drop((first, second));
    writer.join().unwrap();
}
