//! The twin of race_scoped_stack: the variable is atomic.
//@ stdout: 3

use std::sync::atomic::{AtomicU32, Ordering};

use threadlink::thread;

fn main() {
    let total = AtomicU32::new(0);
    thread::scope(|s| {
        s.spawn(|| {
            total.fetch_add(1, Ordering::Relaxed);
        });
        s.spawn(|| {
            total.fetch_add(2, Ordering::Relaxed);
        });
    });
    threadlink::println!("{}", total.into_inner());
}

threadlink::main!(main);
