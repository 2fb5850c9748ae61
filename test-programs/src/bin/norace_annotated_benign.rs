//! The counter may lose counts, and the guest says that this is intended.

use test_programs::Shared;
use threadlink::{annotate, thread};

static HITS: Shared<u32> = Shared::new(0);

fn count() {
    // SAFETY: a torn or lost count is acceptable.
    unsafe { *HITS.get() += 1 }
}

fn main() {
    annotate::benign_race(&HITS);
    let threads = [thread::spawn(count), thread::spawn(count)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
