//! The twin of race_counter: std's mutex, which no hook reports, orders the threads.
//@ stdout: 8

use std::sync::Mutex;

use test_programs::Shared;
use threadlink::thread;

static LOCK: Mutex<()> = Mutex::new(());
static COUNTER: Shared<u32> = Shared::new(0);

fn count() {
    for _ in 0..4 {
        let _guard = LOCK.lock().unwrap();
        // SAFETY: the lock is held.
        unsafe { *COUNTER.get() += 1 }
    }
}

fn main() {
    let threads = [thread::spawn(count), thread::spawn(count)];
    for thread in threads {
        thread.join().unwrap();
    }
    // SAFETY: the others have ended.
    threadlink::println!("{}", unsafe { *COUNTER.get() });
}

threadlink::main!(main);
