//! Attempts at locks that others hold, and at free ones.
//@ stdout: held: no no no no
//@ stdout: read: no yes no
//@ stdout: free: yes yes yes yes

use std::sync::atomic::{AtomicU32, Ordering};

use threadlink::sync::{TracingBarrier, TracingMutex, TracingReentrantMutex, TracingRwLock};
use threadlink::{annotate, thread};

static MUTEX: TracingMutex<u32> = TracingMutex::new(0);
static TABLE: TracingRwLock<u32> = TracingRwLock::new(0);
static NESTED: TracingReentrantMutex<()> = TracingReentrantMutex::new(());
static STEP: TracingBarrier = TracingBarrier::new(2);
static HITS: AtomicU32 = AtomicU32::new(0);

fn hold() {
    annotate::thread_name("holder");
    {
        let _held = (MUTEX.lock(), TABLE.write(), NESTED.lock());
        STEP.wait();
        STEP.wait();
    }
    let _read = TABLE.read();
    STEP.wait();
    STEP.wait();
}

fn yes(acquired: bool) -> &'static str {
    HITS.fetch_add(acquired.into(), Ordering::Relaxed);
    if acquired { "yes" } else { "no" }
}

fn attempts() -> [&'static str; 4] {
    // One statement each: what was acquired is released at its end.
    let mutex = yes(MUTEX.try_lock().is_some());
    let read = yes(TABLE.try_read().is_some());
    let write = yes(TABLE.try_write().is_some());
    let nested = yes(NESTED.try_lock().is_some());
    [mutex, read, write, nested]
}

fn main() {
    let holder = thread::spawn(hold);
    STEP.wait();
    threadlink::println!("held: {}", attempts().join(" "));
    STEP.wait();
    STEP.wait();
    // The mutex is free by now, or will be any moment; only the table is sure.
    let [_, read, write, _] = attempts();
    let upgrade = yes(TABLE.is_locked_exclusive());
    threadlink::println!("read: {upgrade} {read} {write}");
    STEP.wait();
    holder.join().unwrap();
    threadlink::println!("free: {}", attempts().join(" "));
}

threadlink::main!(main);
