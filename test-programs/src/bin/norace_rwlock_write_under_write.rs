//! The twin of race_rwlock_write_under_read: who writes takes the lock for writing.
//@ stdout: 7

use std::hint::black_box;

use test_programs::Shared;
use threadlink::sync::TracingRwLock;
use threadlink::thread;

static CACHE: TracingRwLock<Shared<u32>> = TracingRwLock::new(Shared::new(0));

fn refresh() {
    let cache = CACHE.write();
    // SAFETY: the lock is held for writing.
    unsafe { *cache.get() = 7 }
}

fn look() {
    let cache = CACHE.read();
    // SAFETY: the lock is held for reading.
    black_box(unsafe { *cache.get() });
}

fn main() {
    let threads = [refresh, look, refresh, look].map(thread::spawn);
    for thread in threads {
        thread.join().unwrap();
    }
    // SAFETY: the others have ended.
    threadlink::println!("{}", unsafe { *CACHE.read().get() });
}

threadlink::main!(main);
