//! Who pushes a task writes to it when it has been stolen.

use crossbeam::deque::{Steal, Worker};
use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();
static TASK: Shared<u32> = Shared::new(0);

fn main() {
    let worker = Worker::new_fifo();
    let stealer = worker.stealer();
    crossbeam::scope(|scope| {
        scope.spawn(|_| {
            let task = loop {
                if let Steal::Success(task) = stealer.steal() {
                    break task as *mut u32;
                }
                std::thread::yield_now();
            };
            MEETING.meet();
            // SAFETY: none, this is the bug.
            unsafe { task.read_volatile() }; //~ race(1)
        });
        worker.push(TASK.get() as usize);
        MEETING.meet();
        // SAFETY: as above.
        unsafe { TASK.get().write_volatile(1) }; //~ race(1)
    })
    .unwrap();
}
