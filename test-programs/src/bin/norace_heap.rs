//! The twin of race_heap: each thread has an element of its own.
//@ stdout: 2

use std::hint::black_box;

use threadlink::thread;

#[inline(never)]
fn make_scores() -> Vec<u32> {
    vec![0; 16]
}

#[inline(never)]
fn award(score: &mut u32) {
    *black_box(score) += 1;
}

fn main() {
    let mut scores = make_scores();
    thread::scope(|s| {
        for score in scores.iter_mut().skip(3).take(2) {
            s.spawn(move || award(score));
        }
    });
    threadlink::println!("{}", scores.iter().sum::<u32>());
}

threadlink::main!(main);
