//! The twin of the lost wake-ups: the waiter looks at the flag with the lock, before it waits and
//! after.
//@ stdout: 42

use threadlink::sync::{TracingCondvar, TracingMutex};
use threadlink::thread;

static MESSAGE: TracingMutex<Option<u32>> = TracingMutex::new(None);
static CHANGED: TracingCondvar = TracingCondvar::new();

fn wait() {
    let mut message = MESSAGE.lock();
    let message = loop {
        match message.take() {
            Some(message) => break message,
            None => CHANGED.wait(&mut message),
        }
    };
    threadlink::println!("{message}");
}

fn main() {
    let waiter = thread::spawn(wait);
    *MESSAGE.lock() = Some(42);
    CHANGED.notify_one();
    waiter.join().unwrap();
}

threadlink::main!(main);
