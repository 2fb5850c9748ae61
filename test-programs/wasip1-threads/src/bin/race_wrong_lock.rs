//! A number under two locks of std, each thread taking another one.

use std::sync::Mutex;
use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

static LOCKS: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];
static MEETING: Meeting = Meeting::new();
static NUMBER: Shared<u32> = Shared::new(0);

fn count(me: usize) {
    let _guard = LOCKS[me].lock().unwrap();
    MEETING.meet();
    // SAFETY: none, this is the bug.
    unsafe { *NUMBER.get() += 1 } //~ race(1) race(1)
}

fn main() {
    let threads = [0, 1].map(|me| thread::spawn(move || count(me)));
    for thread in threads {
        thread.join().unwrap();
    }
}
