//! One thread fills a buffer with `memory.copy`, another stores to the middle of it.

use std::hint::black_box;

use test_programs::Shared;
use threadlink::thread;

static SOURCE: [u8; 64] = [1; 64];
static TARGET: Shared<[u8; 64]> = Shared::new([0; 64]);

fn copy() {
    // Unknown to the compiler, which would unroll the copy.
    let (from, len) = (black_box(SOURCE.as_ptr()), black_box(SOURCE.len()));
    // SAFETY: none, this is the bug.
    unsafe { TARGET.get().cast::<u8>().copy_from(from, len) } //~ race(1)
}

fn store() {
    // SAFETY: the address is within the buffer; none otherwise, this is the bug.
    unsafe { *TARGET.get().cast::<u8>().add(40) = 2 } //~ race(1)
}

fn main() {
    let threads = [thread::spawn(copy), thread::spawn(store)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
