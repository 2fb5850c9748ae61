//! The twin of race_atomic_plain: plain accesses only before the threads start and after they end.
//@ stdout: 6

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use threadlink::thread;

static STATE: AtomicU32 = AtomicU32::new(0);

fn advance() {
    STATE.fetch_add(1, Ordering::Relaxed);
}

fn main() {
    let state = black_box(STATE.as_ptr());
    // SAFETY: there is no other thread yet.
    unsafe { *state = 4 }
    let threads = [thread::spawn(advance), thread::spawn(advance)];
    for thread in threads {
        thread.join().unwrap();
    }
    // SAFETY: the others have ended.
    threadlink::println!("{}", unsafe { *state });
}

threadlink::main!(main);
