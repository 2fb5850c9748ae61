//! Two threads of one scope take two locks in opposite order.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

static TURN: AtomicU32 = AtomicU32::new(0);

fn both(turn: u32, first: &Mutex<u32>, second: &Mutex<u32>) {
    while TURN.load(Ordering::Acquire) != turn {
        thread::yield_now();
    }
    {
        let mut first = first.lock().unwrap();
        let mut second = second.lock().unwrap(); //~ lock-order-inversion(1) lock-order-inversion(1)
        *second += 1;
        *first += 1;
    }
    TURN.store(turn + 1, Ordering::Release);
}

fn main() {
    let (a, b) = (Mutex::new(0), Mutex::new(0));
    thread::scope(|scope| {
        scope.spawn(|| both(0, &a, &b));
        scope.spawn(|| both(1, &b, &a));
    });
    assert_eq!((a.into_inner().unwrap(), b.into_inner().unwrap()), (2, 2));
}
