//! The twin of `deadlock_reader`: the second read comes when the first has ended.
//@ stdout: 1

use std::sync::{Arc, RwLock};
use std::thread;

fn main() {
    let lock = Arc::new(RwLock::new(0));
    let same = Arc::clone(&lock);
    let first = lock.read().unwrap();
    let writer = move || *same.write().unwrap() += 1;
    let writer = thread::Builder::new().name("writer".into()).spawn(writer).unwrap();
    while lock.try_read().is_ok() {
        thread::yield_now();
    }
    drop(first);
    writer.join().unwrap();
    println!("{}", lock.read().unwrap());
}
