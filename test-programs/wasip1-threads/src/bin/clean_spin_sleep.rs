//! One thread spins on an atomic, in the function and by a call, while the other sleeps: it is interrupted at a place where it has not
//! recorded anything for long.

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

static STAGE: AtomicU32 = AtomicU32::new(0);

#[inline(never)]
fn reached(stage: u32) -> bool {
    spin_loop();
    STAGE.load(Ordering::Acquire) >= stage
}

/// Touches no memory, and is called in between.
#[inline(never)]
fn compute(mut n: u32) -> u32 {
    for _ in 0..100 {
        n = black_box(n).wrapping_mul(3);
    }
    n
}

fn main() {
    let thread = thread::spawn(|| {
        STAGE.store(1, Ordering::Release);
        thread::sleep(Duration::from_millis(50));
        STAGE.store(2, Ordering::Release);
        thread::sleep(Duration::from_millis(50));
        STAGE.store(3, Ordering::Release);
    });
    while STAGE.load(Ordering::Acquire) < 2 {
        spin_loop();
    }
    let mut n = 1;
    while !reached(3) {
        n = compute(n);
    }
    assert_ne!(n, 0);
    thread.join().unwrap();
}
