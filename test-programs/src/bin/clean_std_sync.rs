//! std's own primitives, of which no hook tells: what they order is to be seen from their atomics.
//@ stdout: 91

use std::sync::{Barrier, Condvar, Mutex, OnceLock, PoisonError, RwLock};

use test_programs::Shared;
use threadlink::thread;

static BASE: OnceLock<u32> = OnceLock::new();
static TOTAL: RwLock<u32> = RwLock::new(0);
static PLAIN: Shared<u32> = Shared::new(0);
static ALL_HERE: Barrier = Barrier::new(3);
static DONE: Mutex<u32> = Mutex::new(0);
static CHANGED: Condvar = Condvar::new();

fn add(n: u32) {
    let base = *BASE.get_or_init(|| 10);
    *TOTAL.write().unwrap_or_else(PoisonError::into_inner) += base + n;
    if ALL_HERE.wait().is_leader() {
        // SAFETY: there is one leader, and main looks only when all are done.
        unsafe { *PLAIN.get() = 55 }
    }
    *DONE.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    CHANGED.notify_one();
}

fn main() {
    let threads = [1, 2, 3].map(|n| thread::spawn(move || add(n)));
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    while *done < 3 {
        done = CHANGED.wait(done).unwrap_or_else(PoisonError::into_inner);
    }
    // SAFETY: all are done.
    let plain = unsafe { *PLAIN.get() };
    let total = *TOTAL.read().unwrap_or_else(PoisonError::into_inner);
    threadlink::println!("{}", total + plain);
    drop(done);
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
