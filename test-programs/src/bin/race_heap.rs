//! Two threads share a vector on the heap by its address.

use std::hint::black_box;

use threadlink::thread;

#[inline(never)]
fn make_scores() -> &'static mut [u32] {
    vec![0; 16].leak()
}

#[inline(never)]
fn award(scores: *mut u32, player: usize) {
    // SAFETY: the player is within the vector; none otherwise, this is the bug.
    unsafe { *black_box(scores).add(player) += 1 } //~ race(1) race(1)
}

fn main() {
    let scores = make_scores().as_mut_ptr().expose_provenance();
    let threads = [(); 2]
        .map(|()| thread::spawn(move || award(std::ptr::with_exposed_provenance_mut(scores), 3)));
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
