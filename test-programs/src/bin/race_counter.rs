//! Two threads count up the same number, and nothing orders them.

use threadlink::thread;

static mut COUNTER: u32 = 0;

fn count() {
    for _ in 0..4 {
        let counter = &raw mut COUNTER;
        // SAFETY: none; this is the bug.
        unsafe { *counter += 1 } //~ race(1) race(1)
    }
}

fn main() {
    let threads = [thread::spawn(count), thread::spawn(count)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
