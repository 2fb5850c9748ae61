//! The twin of race_publish: the reader waits for an atomic flag.
//@ stdout: 42

use std::sync::atomic::{AtomicBool, Ordering};

use test_programs::Shared;
use threadlink::thread;

static MESSAGE: Shared<u32> = Shared::new(0);
static READY: AtomicBool = AtomicBool::new(false);

fn publish() {
    // SAFETY: nobody looks before READY.
    unsafe { *MESSAGE.get() = 42 }
    READY.store(true, Ordering::Release);
}

fn consume() {
    while !READY.load(Ordering::Acquire) {
        thread::yield_now();
    }
    // SAFETY: nobody writes after READY.
    threadlink::println!("{}", unsafe { *MESSAGE.get() });
}

fn main() {
    let threads = [thread::spawn(publish), thread::spawn(consume)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
