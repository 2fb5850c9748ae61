//! The twin of race_lock_between: the number is read only if a flag that the lock keeps says that it is written. Another
//! number is under a lock that one thread only tries.

use std::hint::black_box;
use std::sync::{Mutex, TryLockError};
use std::thread;
use wasip1_threads_programs::Shared;

static LOCK: Mutex<bool> = Mutex::new(false);
static TRIED: Mutex<u32> = Mutex::new(0);
static NUMBER: Shared<u32> = Shared::new(0);
static OTHER: Shared<u32> = Shared::new(0);

fn write() {
    // SAFETY: nobody reads it before the flag says so.
    unsafe { *NUMBER.get() = 1 }
    *LOCK.lock().unwrap() = true;
    let mut tried = TRIED.lock().unwrap();
    // SAFETY: the lock is held.
    unsafe { *OTHER.get() += 1 }
    *tried += 1;
}

fn read() {
    let written = *LOCK.lock().unwrap();
    if written {
        // SAFETY: it is written.
        black_box(unsafe { *NUMBER.get() });
    }
    loop {
        match TRIED.try_lock() {
            Ok(mut tried) => {
                // SAFETY: the lock is held.
                unsafe { *OTHER.get() += 1 }
                *tried += 1;
                break;
            }
            Err(TryLockError::WouldBlock) => thread::yield_now(),
            Err(TryLockError::Poisoned(_)) => unreachable!("nobody panics"),
        }
    }
}

fn main() {
    let threads = [write, read].map(|work| thread::spawn(work));
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(*TRIED.lock().unwrap(), 2);
}
