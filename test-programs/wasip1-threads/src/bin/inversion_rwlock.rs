//! A thread takes a mutex of std while it reads what a read-write lock guards, another writes there while it has the mutex.
//!
//! They wait for each other's end, so that no schedule deadlocks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread;

struct Shared {
    table: RwLock<Vec<u32>>,
    total: Mutex<u32>,
}

static FIRST_IS_DONE: AtomicBool = AtomicBool::new(false);

fn sum(shared: &Shared) {
    {
        let table = shared.table.read().unwrap();
        let mut total = shared.total.lock().unwrap(); //~ lock-order-inversion(1)
        *total = table.iter().sum();
    }
    FIRST_IS_DONE.store(true, Ordering::Release);
}

fn append(shared: &Shared) {
    while !FIRST_IS_DONE.load(Ordering::Acquire) {
        thread::yield_now();
    }
    let total = shared.total.lock().unwrap();
    let mut table = shared.table.write().unwrap(); //~ lock-order-inversion(1)
    table.push(*total);
}

fn main() {
    let shared = Arc::new(Shared {
        table: RwLock::new(vec![1, 2, 3]),
        total: Mutex::new(0),
    });
    let threads = [sum, append].map(|work| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || work(&shared))
    });
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(shared.table.read().unwrap().len(), 4);
}
