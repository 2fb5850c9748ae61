//! A number is announced before it is written. The compiler loads it in any case and chooses afterwards; it is read where it is chosen.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

static READY: AtomicBool = AtomicBool::new(false);
static mut NUMBER: i32 = 0;

#[rustfmt::skip]
#[inline(never)]
fn number() -> i32 {
    if READY.load(Ordering::Acquire) { //~ race(1)
        // SAFETY: none, this is the bug.
        unsafe { NUMBER }
    } else {
        -1
    }
}

fn main() {
    let thread = thread::spawn(|| while number() == -1 {});
    READY.store(true, Ordering::Release);
    // SAFETY: none, this is the bug.
    unsafe { NUMBER = 42 } //~ race(1)
    thread.join().unwrap();
}
