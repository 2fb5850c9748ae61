//! Both threads take a lock, but not the same one.

use test_programs::Shared;
use threadlink::annotate;
use threadlink::sync::TracingMutex;
use threadlink::thread;

static LEFT: TracingMutex<()> = TracingMutex::new(());
static RIGHT: TracingMutex<()> = TracingMutex::new(());
static BALANCE: Shared<u32> = Shared::new(100);

fn deposit() {
    let _guard = LEFT.lock();
    // SAFETY: none, this is the bug.
    unsafe { *BALANCE.get() += 10 } //~ race(1)
}

fn withdraw() {
    let _guard = RIGHT.lock();
    // SAFETY: none, this is the bug.
    unsafe { *BALANCE.get() -= 10 } //~ race(1)
}

fn main() {
    annotate::lock_name(&LEFT, "left");
    annotate::lock_name(&RIGHT, "right");
    let threads = [thread::spawn(deposit), thread::spawn(withdraw)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
