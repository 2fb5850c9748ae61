//! The twin of race_different_locks: each number has its lock, and a third thread takes both.
//@ stdout: 200

use test_programs::Shared;
use threadlink::sync::TracingMutex;
use threadlink::thread;

static LEFT: TracingMutex<()> = TracingMutex::new(());
static RIGHT: TracingMutex<()> = TracingMutex::new(());
static LEFT_BALANCE: Shared<u32> = Shared::new(100);
static RIGHT_BALANCE: Shared<u32> = Shared::new(100);

fn deposit() {
    let _guard = LEFT.lock();
    // SAFETY: the lock of this number is held.
    unsafe { *LEFT_BALANCE.get() += 10 }
}

fn withdraw() {
    let _guard = RIGHT.lock();
    // SAFETY: the lock of this number is held.
    unsafe { *RIGHT_BALANCE.get() -= 10 }
}

fn transfer() {
    let _guards = (LEFT.lock(), RIGHT.lock());
    // SAFETY: both locks are held.
    unsafe {
        *LEFT_BALANCE.get() -= 5;
        *RIGHT_BALANCE.get() += 5;
    }
}

fn main() {
    let threads = [deposit, withdraw, transfer].map(thread::spawn);
    for thread in threads {
        thread.join().unwrap();
    }
    // SAFETY: the others have ended.
    let sum = unsafe { *LEFT_BALANCE.get() + *RIGHT_BALANCE.get() };
    threadlink::println!("{sum}");
}

threadlink::main!(main);
