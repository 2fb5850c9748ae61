//! A message is handed over by a flag, but the flag is a plain variable: both of them race.
//!
//! The reader looks at the message whatever the flag said, so that every schedule shows both.

use std::hint::black_box;

use test_programs::Shared;
use threadlink::thread;

static MESSAGE: Shared<u32> = Shared::new(0);
static READY: Shared<bool> = Shared::new(false);

fn publish() {
    // SAFETY: none, this is the bug.
    unsafe {
        *MESSAGE.get() = 42; //~ race(1)
        *READY.get() = true; //~ race(2)
    }
}

fn consume() {
    // SAFETY: none, this is the bug.
    unsafe {
        black_box(*READY.get()); //~ race(2)
        black_box(*MESSAGE.get()); //~ race(1)
    }
}

fn main() {
    let threads = [thread::spawn(publish), thread::spawn(consume)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
