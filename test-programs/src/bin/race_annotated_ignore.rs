//! Ignored accesses of one thread do not hide a race of two others, and are checked again once the
//! guard is gone.

use std::hint::black_box;

use test_programs::Shared;
use threadlink::{annotate, thread};

static TOTAL: Shared<u32> = Shared::new(0);

fn sample() {
    let _ignore = annotate::ignore();
    // SAFETY: a wrong number is acceptable.
    black_box(unsafe { *TOTAL.get() });
}

fn add() {
    drop(annotate::ignore());
    // SAFETY: none, this is the bug.
    unsafe { *TOTAL.get() += 1 } //~ race(1) race(1)
}

fn main() {
    let threads = [
        thread::spawn(sample),
        thread::spawn(add),
        thread::spawn(add),
    ];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
