//! Main calls itself without end.

use std::hint::black_box;

// On one line, because a stack ends at a call, or at the store that would have been below it.
#[rustfmt::skip]
#[inline(never)]
fn descend(depth: u64) -> u64 { black_box([depth; 8])[3] + black_box(if black_box(true) { descend(depth + 1) } else { 0 }) } //~ trap

fn main() {
    black_box(descend(0));
}

threadlink::main!(main);
