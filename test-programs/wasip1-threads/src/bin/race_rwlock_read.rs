//! A number that is written under a lock for reading.

use std::sync::RwLock;
use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

static LOCK: RwLock<()> = RwLock::new(());
static MEETING: Meeting = Meeting::new();
static NUMBER: Shared<u32> = Shared::new(0);

fn count() {
    let _guard = LOCK.read().unwrap();
    MEETING.meet();
    // SAFETY: none, this is the bug.
    unsafe { *NUMBER.get() += 1 } //~ race(1) race(1)
}

fn main() {
    let threads = [thread::spawn(count), thread::spawn(count)];
    for thread in threads {
        thread.join().unwrap();
    }
}
