//! What is set up once is changed by everybody afterwards.

use std::sync::LazyLock;
use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

static NUMBER: LazyLock<Box<Shared<u32>>> = LazyLock::new(|| Box::new(Shared::new(7)));
static MEETING: Meeting = Meeting::new();

fn count() {
    let number = &**NUMBER;
    MEETING.meet();
    // SAFETY: none, this is the bug.
    unsafe { *number.get() += 1 } //~ race(1) race(1)
}

fn main() {
    let threads = [thread::spawn(count), thread::spawn(count)];
    for thread in threads {
        thread.join().unwrap();
    }
}
