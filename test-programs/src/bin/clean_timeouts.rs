//! Waits that end because their time is up: a lock that is held, a condition that never comes, a
//! sleep.
//@ stdout: timed out
//@ stdout: timed out
//@ stdout: slept

use std::time::Duration;

use threadlink::sync::{TracingBarrier, TracingCondvar, TracingMutex};
use threadlink::thread;
use threadlink::time::Instant;

static LOCK: TracingMutex<()> = TracingMutex::new(());
static NEVER: TracingCondvar = TracingCondvar::new();
static HELD: TracingBarrier = TracingBarrier::new(2);
const PATIENCE: Duration = Duration::from_millis(2);

fn hold() {
    let _guard = LOCK.lock();
    HELD.wait();
    HELD.wait();
}

fn main() {
    let holder = thread::spawn(hold);
    HELD.wait();
    let start = Instant::now();
    assert!(LOCK.try_lock_for(PATIENCE).is_none());
    assert!(LOCK.try_lock_until(start).is_none());
    assert!(start.elapsed() >= PATIENCE);
    threadlink::println!("timed out");
    HELD.wait();

    let mut guard = LOCK.lock();
    let start = Instant::now();
    assert!(NEVER.wait_for(&mut guard, PATIENCE).timed_out());
    assert!(start.elapsed() >= PATIENCE);
    threadlink::println!("timed out");

    let start = Instant::now();
    thread::sleep(PATIENCE);
    assert!(start.elapsed() >= PATIENCE);
    threadlink::println!("slept");
    holder.join().unwrap();
}

threadlink::main!(main);
