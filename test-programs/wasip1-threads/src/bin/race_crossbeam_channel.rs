//! Who sends a block through crossbeam's channel writes to it afterwards.

use crossbeam::channel::bounded;
use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();

fn main() {
    let (sender, receiver) = bounded(1);
    crossbeam::scope(|scope| {
        scope.spawn(|_| {
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
        // Freed when nobody writes any more.
        std::mem::forget(block);
    })
    .unwrap();
}
