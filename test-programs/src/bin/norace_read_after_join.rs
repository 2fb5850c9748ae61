//! The twin of race_read_before_join: main joins first.
//@ stdout: 55

use test_programs::{Shared, spawn_named};

static RESULT: Shared<u64> = Shared::new(0);

fn compute() {
    let sum = (1..=10).sum();
    // SAFETY: main looks only after this thread has ended.
    unsafe { *RESULT.get() = sum }
}

fn main() {
    let thread = spawn_named("compute", compute);
    thread.join().unwrap();
    // SAFETY: the thread has ended.
    threadlink::println!("{}", unsafe { *RESULT.get() });
}

threadlink::main!(main);
