//! What a condition variable announces is written after it has been announced.

use std::sync::{Condvar, Mutex};
use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

static READY: Mutex<bool> = Mutex::new(false);
static CHANGED: Condvar = Condvar::new();
static MEETING: Meeting = Meeting::new();
static NUMBER: Shared<u32> = Shared::new(0);

fn announce() {
    *READY.lock().unwrap() = true;
    CHANGED.notify_one();
    MEETING.meet();
    // SAFETY: none, this is the bug.
    unsafe { NUMBER.get().write_volatile(1) } //~ race(1)
}

fn main() {
    let thread = thread::spawn(announce);
    drop(
        CHANGED
            .wait_while(READY.lock().unwrap(), |ready| !*ready)
            .unwrap(),
    );
    MEETING.meet();
    // SAFETY: as above.
    unsafe { NUMBER.get().read_volatile() }; //~ race(1)
    thread.join().unwrap();
}
