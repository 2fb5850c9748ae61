//! Who sends a block through flume's channel writes to it afterwards.

use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();

fn main() {
    let (sender, receiver) = flume::bounded(1);
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
