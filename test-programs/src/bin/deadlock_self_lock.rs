//! A thread locks what it has locked.

use threadlink::sync::TracingMutex;

static LOCK: TracingMutex<u32> = TracingMutex::new(0);

fn helper() {
    *LOCK.lock() += 1; //~ deadlock(1)
}

fn main() {
    let _guard = LOCK.lock();
    helper();
}

threadlink::main!(main);
