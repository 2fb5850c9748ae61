//! The twin of `race_speculative` in which the number is written before it is announced. The compiler loads it in any case, and
//! chooses afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use wasip1_threads_programs::Shared;

static READY: AtomicBool = AtomicBool::new(false);
static mut NUMBER: i32 = 0;
static mut FLAG: bool = false;
static DONE: Shared<u32> = Shared::new(0);

#[inline(never)]
fn number() -> i32 {
    if READY.load(Ordering::Acquire) {
        // SAFETY: it was written before it was announced.
        unsafe { NUMBER }
    } else {
        -1
    }
}

#[inline(never)]
fn both() -> bool {
    // SAFETY: as above.
    READY.load(Ordering::Acquire) && unsafe { FLAG }
}

#[inline(never)]
fn computed(other: i32) -> i32 {
    // SAFETY: as above.
    if READY.load(Ordering::Acquire) {
        unsafe { NUMBER * 3 + 1 }
    } else {
        other
    }
}

fn main() {
    let thread = thread::spawn(|| {
        while number() == -1 {}
        while !both() {}
        while computed(0) == 0 {}
    });
    // SAFETY: nobody reads them yet.
    unsafe {
        NUMBER = 42;
        FLAG = true;
    }
    READY.store(true, Ordering::Release);
    thread.join().unwrap();
    // SAFETY: the thread has ended.
    unsafe { *DONE.get() = 1 }
}
