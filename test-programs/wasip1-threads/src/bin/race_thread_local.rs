//! A thread gives the address of a thread-local away, and another writes there.

use std::cell::Cell;
use std::sync::mpsc;
use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

thread_local! {
    static MINE: Shared<Cell<u32>> = const { Shared::new(Cell::new(0)) };
}

static MEETING: Meeting = Meeting::new();
static PARTING: Meeting = Meeting::new();

fn main() {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        MINE.with(|mine| {
            sender.send(mine.get() as usize).unwrap();
            MEETING.meet();
            // SAFETY: none, this is the bug.
            unsafe { (*mine.get()).set(1) } //~ race(1)
            PARTING.meet();
        });
    });
    let theirs = receiver.recv().unwrap() as *mut u32;
    MEETING.meet();
    // SAFETY: as above.
    unsafe { theirs.write_volatile(2) }; //~ race(1)
    PARTING.meet();
    thread.join().unwrap();
}
