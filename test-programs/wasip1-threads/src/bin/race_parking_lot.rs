//! A number beside parking_lot's locks, each thread holding another one.

use parking_lot::Mutex;
use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

static LOCKS: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];
static MEETING: Meeting = Meeting::new();
static NUMBER: Shared<u32> = Shared::new(0);

fn main() {
    let threads = [0, 1].map(|me: usize| {
        thread::spawn(move || {
            let _guard = LOCKS[me].lock();
            MEETING.meet();
            // SAFETY: none, this is the bug.
            unsafe { *NUMBER.get() += 1 } //~ race(1) race(1)
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}
