//! A comparison that writes, while another thread does something else with what it writes to.

use rayon::prelude::*;
use wasip1_threads_programs::{Meeting, Shared};

static MEETING: Meeting = Meeting::new();
static COMPARED: Shared<u32> = Shared::new(0);

fn main() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .unwrap();
    let mut numbers = [2, 1];
    pool.join(
        || {
            numbers.par_sort_by(|a: &u32, b| {
                MEETING.meet();
                // SAFETY: none, this is the bug.
                unsafe { COMPARED.get().write_volatile(1) } //~ race(1)
                a.cmp(b)
            })
        },
        || {
            MEETING.meet();
            // SAFETY: as above.
            unsafe { COMPARED.get().read_volatile() } //~ race(1)
        },
    );
}
