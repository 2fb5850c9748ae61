//! `threadlink::sync` over std's threads: every lock of it, contended.
//@ stdout: 60 30 [0, 1, 2] 3

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use threadlink::sync::{
    TracingBarrier, TracingCondvar, TracingMutex, TracingOnce, TracingReentrantMutex, TracingRwLock,
};
use threadlink::thread;
use wasip1_threads_programs::Shared;

static SUM: TracingMutex<u32> = TracingMutex::new(0);
static LIST: TracingRwLock<Vec<u32>> = TracingRwLock::new(Vec::new());
static TURN: TracingMutex<Vec<u32>> = TracingMutex::new(Vec::new());
static CHANGED: TracingCondvar = TracingCondvar::new();
static NESTED: TracingReentrantMutex<AtomicU32> = TracingReentrantMutex::new(AtomicU32::new(0));
static ONCE: TracingOnce = TracingOnce::new();
static SET_UP: Shared<u32> = Shared::new(0);

fn work(me: u32, barrier: &TracingBarrier) {
    // SAFETY: once, and only read after that.
    ONCE.call_once(|| unsafe { *SET_UP.get() = 20 });
    // SAFETY: as above.
    for round in 0..unsafe { *SET_UP.get() } {
        *SUM.lock() += 1;
        if round % 2 == 0 {
            LIST.write().push(me);
        } else {
            assert!(LIST.read().len() <= 30);
        }
    }
    let outer = NESTED.lock();
    NESTED.lock().fetch_add(1, Ordering::Relaxed);
    drop(outer);
    barrier.wait();
    let mut turn = TURN.lock();
    CHANGED.wait_while(&mut turn, |turn| turn.len() != me as usize);
    turn.push(me);
    CHANGED.notify_all();
}

fn main() {
    let barrier = TracingBarrier::new(3);
    thread::scope(|scope| {
        for me in 0..3 {
            let barrier = &barrier;
            scope.spawn(move || work(me, barrier));
        }
    });
    let mut turn = TURN.lock();
    assert!(CHANGED.wait_for(&mut turn, Duration::from_millis(2)).timed_out());
    assert!(SUM.try_lock_for(Duration::from_millis(1)).is_some());
    let nested = NESTED.lock().load(Ordering::Relaxed);
    println!("{} {} {turn:?} {nested}", SUM.lock(), LIST.read().len());
}
