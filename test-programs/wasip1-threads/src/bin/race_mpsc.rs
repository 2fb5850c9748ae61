//! Who sends a block keeps its address, and writes to it when it is another's.

use std::sync::mpsc;
use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();

fn main() {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        let block = Box::new(Shared::new(1_u32));
        let address = block.get();
        sender.send(block).unwrap();
        MEETING.meet();
        // SAFETY: none, this is the bug.
        unsafe { address.write_volatile(2) } //~ race(1)
    });
    let block = receiver.recv().unwrap();
    MEETING.meet();
    // SAFETY: as above.
    unsafe { block.get().read_volatile() }; //~ race(1)
    thread.join().unwrap();
}
