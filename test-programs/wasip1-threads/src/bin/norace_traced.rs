//! The twin of `race_traced`: both threads take the same lock.

use threadlink::sync::TracingMutex;
use threadlink::thread;
use wasip1_threads_programs::Shared;

static LOCK: TracingMutex<u32> = TracingMutex::new(0);
static NUMBER: Shared<u32> = Shared::new(0);

fn count() {
    for _ in 0..4 {
        let mut guard = LOCK.lock();
        *guard += 1;
        // SAFETY: under the lock.
        unsafe { *NUMBER.get() += 1 }
    }
}

fn main() {
    let threads = [thread::spawn(count), thread::spawn(count)];
    for thread in threads {
        thread.join().unwrap();
    }
}
