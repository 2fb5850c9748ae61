//! Threads of std with names, one without, and one in a scope.
//@ says: T1 `producer`
//@ says: T2 `consumer`

use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

static COUNT: Shared<u32> = Shared::new(0);
static MEETING: Meeting = Meeting::new();

fn main() {
    let threads = ["producer", "consumer"].map(|name| {
        let work = || {
            MEETING.meet();
            // SAFETY: none; this is the race.
            unsafe { *COUNT.get() += 1 }; //~ race(1) race(1)
        };
        thread::Builder::new().name(name.into()).spawn(work).unwrap()
    });
    for thread in threads {
        thread.join().unwrap();
    }
    thread::spawn(|| ()).join().unwrap();
}
