//! The twin of `race_dropped_arcs` in which both threads drop the same `Arc`: its count orders whoever drops it last.

use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use wasip1_threads_programs::Shared;

struct Counted(Shared<u32>);

impl Drop for Counted {
    fn drop(&mut self) {
        // SAFETY: nobody else has it any more.
        unsafe { *self.0.get() += 1 }
    }
}

fn main() {
    let shared = Arc::new(Counted(Shared::new(0)));
    let threads = [0, 1].map(|_| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || drop(black_box(shared)))
    });
    drop(black_box(shared));
    for thread in threads {
        thread.join().unwrap();
    }
}
