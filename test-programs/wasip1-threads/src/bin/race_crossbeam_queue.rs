//! Two threads count up what both once had from a queue.

use crossbeam::queue::SegQueue;
use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();
static NUMBER: Shared<u32> = Shared::new(0);

fn main() {
    let queue = SegQueue::new();
    for _ in 0..2 {
        queue.push(NUMBER.get() as usize);
    }
    crossbeam::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|_| {
                let number = queue.pop().unwrap() as *mut u32;
                MEETING.meet();
                // SAFETY: none, this is the bug.
                unsafe { *number += 1 } //~ race(1) race(1)
            });
        }
    })
    .unwrap();
}
