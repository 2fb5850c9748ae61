//! A task of another thread leaves its result in memory, and a task of the first looks there without waiting for
//! it.

use std::hint::black_box;

use test_programs::Shared;
use threadlink::{task, thread};

static RESULT: Shared<u32> = Shared::new(0);

fn work() {
    let _ = task::block_on(async {
        let result = task::spawn(async { 42 }).await;
        // SAFETY: none, this is the bug.
        unsafe { *RESULT.get() = result.unwrap_or(0) } //~ race(1)
    });
}

fn main() {
    let worker = thread::spawn(work);
    let _ = task::block_on(async {
        task::pause().await;
        // SAFETY: none, this is the bug.
        black_box(unsafe { *RESULT.get() }); //~ race(1)
    });
    worker.join().unwrap();
}

threadlink::main!(main);
