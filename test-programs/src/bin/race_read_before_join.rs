//! Main looks at the result before it joins the thread that computes it.

use std::hint::black_box;

use test_programs::{Shared, spawn_named};

static RESULT: Shared<u64> = Shared::new(0);

fn compute() {
    let sum = (1..=10).sum();
    // SAFETY: none, this is the bug.
    unsafe { *RESULT.get() = sum } //~ race(1)
}

fn main() {
    let thread = spawn_named("compute", compute);
    // SAFETY: none, this is the bug.
    black_box(unsafe { *RESULT.get() }); //~ race(1)
    thread.join().unwrap();
}

threadlink::main!(main);
