//! A message is handed over by nothing at all: the reader hopes that it is there.

use std::hint::black_box;

use test_programs::Shared;
use threadlink::thread;

static MESSAGE: Shared<u32> = Shared::new(0);

fn publish() {
    // SAFETY: none, this is the bug.
    unsafe { *MESSAGE.get() = 42 } //~ race(1)
}

fn consume() {
    // SAFETY: none, this is the bug.
    black_box(unsafe { *MESSAGE.get() }); //~ race(1)
}

fn main() {
    let threads = [thread::spawn(publish), thread::spawn(consume)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
