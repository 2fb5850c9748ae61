//! Each thread drops an `Arc` of its own between its accesses and the other's. That is a fence, and a fence by itself orders nothing; nor
//! does a sleep.

use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use wasip1_threads_programs::Shared;

static NUMBER: Shared<u32> = Shared::new(0);

fn main() {
    let thread = thread::spawn(|| {
        // SAFETY: none, this is the bug.
        unsafe { *NUMBER.get() += 1 } //~ race(1)
        drop(black_box(Arc::new(1)));
    });
    thread::sleep(Duration::from_millis(50));
    drop(black_box(Arc::new(2)));
    // SAFETY: none, this is the bug.
    unsafe { *NUMBER.get() += 1 } //~ race(1)
    thread.join().unwrap();
}
