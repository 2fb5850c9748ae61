//! A number that a closure of a parallel iterator counts up.

use rayon::prelude::*;
use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();
static NUMBER: Shared<u32> = Shared::new(0);

fn main() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .unwrap();
    pool.install(|| {
        (0..2_u32).into_par_iter().with_max_len(1).for_each(|_| {
            MEETING.meet();
            // SAFETY: none, this is the bug.
            unsafe { *NUMBER.get() += 1 } //~ race(1) race(1)
        });
    });
}
