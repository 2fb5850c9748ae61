//! Printing takes a lock, which orders nothing that comes after it.

use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();
static NUMBER: Shared<u32> = Shared::new(0);

fn count(me: u32) {
    println!("thread {me}");
    MEETING.meet();
    // SAFETY: none, this is the bug.
    unsafe { *NUMBER.get() += 1 } //~ race(1) race(1)
    println!("thread {me} is done");
}

fn main() {
    let threads = [0, 1].map(|me| thread::spawn(move || count(me)));
    for thread in threads {
        thread.join().unwrap();
    }
}
