//! Two threads count up the same number atomically.
//@ stdout: 8

use std::sync::atomic::{AtomicU32, Ordering};

use threadlink::thread;

static COUNTER: AtomicU32 = AtomicU32::new(0);

fn count() {
    for _ in 0..4 {
        COUNTER.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() {
    let threads = [thread::spawn(count), thread::spawn(count)];
    for thread in threads {
        thread.join().unwrap();
    }
    threadlink::println!("{}", COUNTER.load(Ordering::Relaxed));
}

threadlink::main!(main);
