//! A task and a thread share a number beside the channel that they share.

use std::thread;
use tokio::sync::oneshot;
use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();
static NUMBER: Shared<u32> = Shared::new(0);

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (sender, receiver) = oneshot::channel();
    let thread = thread::spawn(move || {
        sender.send(()).unwrap();
        MEETING.meet();
        // SAFETY: none, this is the bug.
        unsafe { NUMBER.get().write_volatile(1) } //~ race(1)
    });
    runtime.block_on(async {
        receiver.await.unwrap();
        MEETING.meet();
        // SAFETY: as above.
        unsafe { NUMBER.get().read_volatile() } //~ race(1)
    });
    thread.join().unwrap();
}
