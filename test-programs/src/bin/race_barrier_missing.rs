//! Each thread writes its own slot and reads its neighbour's, with nothing in between.

use std::hint::black_box;

use test_programs::Shared;
use threadlink::thread;

static SLOTS: [Shared<u32>; 2] = [Shared::new(0), Shared::new(0)];

fn exchange(me: usize) {
    // SAFETY: none, this is the bug.
    unsafe { *SLOTS[me].get() = 1 } //~ race(1)
    // SAFETY: none, this is the bug.
    black_box(unsafe { *SLOTS[1 - me].get() }); //~ race(1)
}

fn main() {
    let threads = [0, 1].map(|me| thread::spawn(move || exchange(me)));
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
