//! Two threads read the same entry of a map, and write to what it leads to.

use dashmap::DashMap;
use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();

fn main() {
    let map = DashMap::new();
    map.insert(1, Box::new(Shared::new(0_u32)));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let number = map.get(&1).unwrap();
                MEETING.meet();
                // SAFETY: none, this is the bug.
                unsafe { *number.get() += 1 } //~ race(1) race(1)
            });
        }
    });
}
