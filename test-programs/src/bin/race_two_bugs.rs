//! Two variables, two races, two findings.

use std::hint::black_box;

use test_programs::Shared;
use threadlink::thread;

static FIRST: Shared<u32> = Shared::new(0);
static SECOND: Shared<u64> = Shared::new(0);

fn left() {
    // SAFETY: none, this is the bug.
    unsafe { *FIRST.get() = 1 } //~ race(1)
    // SAFETY: none, this is the bug.
    black_box(unsafe { *SECOND.get() }); //~ race(2)
}

fn right() {
    // SAFETY: none, this is the bug.
    unsafe { *SECOND.get() = 2 } //~ race(2)
    // SAFETY: none, this is the bug.
    unsafe { *FIRST.get() = 3 } //~ race(1)
}

fn main() {
    let threads = [thread::spawn(left), thread::spawn(right)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
