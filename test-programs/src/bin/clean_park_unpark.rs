//! The twin of deadlock_park: main unparks the thread, before or after it parks, and what main wrote
//! before is there.
//@ stdout: 42

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use test_programs::Shared;
use threadlink::thread;

static READY: AtomicBool = AtomicBool::new(false);
static MESSAGE: Shared<u32> = Shared::new(0);

fn wait() {
    thread::park_timeout(Duration::from_nanos(1));
    while !READY.load(Ordering::Relaxed) {
        thread::park();
    }
    // SAFETY: main wrote it before READY.
    threadlink::println!("{}", unsafe { *MESSAGE.get() });
}

fn main() {
    let waiter = thread::spawn(wait);
    // SAFETY: nobody looks before READY.
    unsafe { *MESSAGE.get() = 42 }
    READY.store(true, Ordering::Relaxed);
    waiter.thread().unpark();
    waiter.join().unwrap();
}

threadlink::main!(main);
