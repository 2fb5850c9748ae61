//! The twin of race_memory_copy: the store is to the byte after the copied ones, and a third thread
//! copies from the same source.

use std::hint::black_box;

use test_programs::Shared;
use threadlink::thread;

static SOURCE: [u8; 64] = [1; 64];
static TARGETS: [Shared<[u8; 65]>; 2] = [Shared::new([0; 65]), Shared::new([0; 65])];

fn copy(target: usize) {
    // Unknown to the compiler, which would unroll the copy.
    let (from, len) = (black_box(SOURCE.as_ptr()), black_box(SOURCE.len()));
    // SAFETY: nobody else touches the first 64 bytes of this target.
    unsafe { TARGETS[target].get().cast::<u8>().copy_from(from, len) }
}

fn store() {
    // SAFETY: nobody else touches the last byte of this target.
    unsafe { *TARGETS[0].get().cast::<u8>().add(64) = 2 }
}

fn main() {
    let threads = [
        thread::spawn(|| copy(0)),
        thread::spawn(|| copy(1)),
        thread::spawn(store),
    ];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
