//! The two halves of a `join` share a number.

use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();
static NUMBER: Shared<u32> = Shared::new(0);

fn main() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .unwrap();
    pool.join(
        || {
            MEETING.meet();
            // SAFETY: none, this is the bug.
            unsafe { NUMBER.get().write_volatile(1) } //~ race(1)
        },
        || {
            MEETING.meet();
            // SAFETY: as above.
            unsafe { NUMBER.get().read_volatile() } //~ race(1)
        },
    );
}
