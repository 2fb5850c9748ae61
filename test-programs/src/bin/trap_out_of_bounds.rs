//! Main reads beyond the end of the memory.

use std::hint::black_box;

fn main() {
    let wild = black_box(0xffff_0000_usize as *const u32);
    // SAFETY: none, this is the bug.
    let value = unsafe { *wild }; //~ trap
    black_box(value);
}

threadlink::main!(main);
