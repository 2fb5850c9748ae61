//! Scoped threads that borrow, and threads that park.
//@ stdout: [2, 3, 4] 6 true

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use wasip1_threads_programs::Shared;

static GIFT: Shared<u32> = Shared::new(0);
static GIVEN: AtomicBool = AtomicBool::new(false);

fn main() {
    let mut numbers = [1, 2, 3];
    let sum = thread::scope(|scope| {
        let (first, rest) = numbers.split_at_mut(1);
        scope.spawn(|| first[0] += 1);
        let rest = scope.spawn(|| {
            rest.iter_mut().for_each(|number| *number += 1);
            rest.iter().sum::<u32>()
        });
        rest.join().unwrap() - 1
    });

    let parked = thread::spawn(|| {
        while !GIVEN.load(Ordering::Acquire) {
            thread::park();
        }
        // SAFETY: given away before.
        unsafe { *GIFT.get() == 5 }
    });
    // SAFETY: not given yet.
    unsafe { *GIFT.get() = 5 };
    GIVEN.store(true, Ordering::Release);
    parked.thread().unpark();
    thread::park_timeout(Duration::from_millis(1));
    println!("{numbers:?} {sum} {}", parked.join().unwrap());
}
