//! A number beside the locks of `threadlink::sync`, each thread holding another one.

use threadlink::sync::TracingMutex;
use threadlink::thread;
use wasip1_threads_programs::Shared;

static LOCKS: [TracingMutex<u32>; 2] = [TracingMutex::new(0), TracingMutex::new(0)];
static NUMBER: Shared<u32> = Shared::new(0);

fn count(me: usize) {
    for _ in 0..4 {
        let mut guard = LOCKS[me].lock();
        *guard += 1;
        // SAFETY: none, this is the bug.
        unsafe { *NUMBER.get() += 1 } //~ race(1) race(1)
    }
}

fn main() {
    let threads = [0, 1].map(|me| thread::spawn(move || count(me)));
    for thread in threads {
        thread.join().unwrap();
    }
}
