//! Double-checked locking with a plain variable: the first look is outside of the lock.

use std::hint::black_box;

use test_programs::Shared;
use threadlink::sync::TracingMutex;
use threadlink::thread;

static LOCK: TracingMutex<()> = TracingMutex::new(());
/// 0 while it is not known.
static ANSWER: Shared<u32> = Shared::new(0);

fn answer() -> u32 {
    // SAFETY: none, this is the bug.
    let seen = unsafe { *ANSWER.get() }; //~ race(1)
    if seen != 0 {
        return seen;
    }
    let _guard = LOCK.lock();
    // SAFETY: the lock is held, for this one.
    if unsafe { *ANSWER.get() } == 0 {
        // SAFETY: the lock is held, but the first look does not take it.
        unsafe { *ANSWER.get() = 42 } //~ race(1)
    }
    // SAFETY: the lock is held, for this one.
    unsafe { *ANSWER.get() }
}

fn main() {
    let threads = [thread::spawn(answer), thread::spawn(answer)];
    for thread in threads {
        black_box(thread.join().unwrap());
    }
}

threadlink::main!(main);
