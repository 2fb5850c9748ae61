//! The twin of race_double_checked: the variable is atomic.
//@ stdout: 84

use std::sync::atomic::{AtomicU32, Ordering};

use threadlink::sync::TracingMutex;
use threadlink::thread;

static LOCK: TracingMutex<()> = TracingMutex::new(());
/// 0 while it is not known.
static ANSWER: AtomicU32 = AtomicU32::new(0);

fn answer() -> u32 {
    let seen = ANSWER.load(Ordering::Acquire);
    if seen != 0 {
        return seen;
    }
    let _guard = LOCK.lock();
    if ANSWER.load(Ordering::Relaxed) == 0 {
        ANSWER.store(42, Ordering::Release);
    }
    ANSWER.load(Ordering::Relaxed)
}

fn main() {
    let threads = [thread::spawn(answer), thread::spawn(answer)];
    let sum: u32 = threads.map(|thread| thread.join().unwrap()).iter().sum();
    threadlink::println!("{sum}");
}

threadlink::main!(main);
