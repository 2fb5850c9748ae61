//! One thread stores atomically, another reads the same variable plainly.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use threadlink::thread;

static STATE: AtomicU32 = AtomicU32::new(0);

fn advance() {
    STATE.store(1, Ordering::SeqCst); //~ race(1)
}

fn peek() {
    let state = black_box(STATE.as_ptr());
    // SAFETY: none, this is the bug.
    black_box(unsafe { *state }); //~ race(1)
}

fn main() {
    let threads = [thread::spawn(advance), thread::spawn(peek)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
