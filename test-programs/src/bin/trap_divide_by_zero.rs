//! A thread divides by zero, and nobody joins it: the run still says so.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use threadlink::thread;

static STARTED: AtomicBool = AtomicBool::new(false);

fn main() {
    let worker = thread::spawn(|| {
        let (a, b) = (black_box(1_u32), black_box(0_u32));
        STARTED.store(true, Ordering::Relaxed);
        black_box(a / b); //~ trap
    });
    while !worker.is_finished() {
        thread::yield_now();
    }
    assert!(STARTED.load(Ordering::Relaxed));
}

threadlink::main!(main);
