//! rayon: sorting in parallel, more than one thread's worth of it.
//@ stdout: true true

use rayon::prelude::*;

fn main() {
    rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build_global()
        .unwrap();
    let mut numbers: Vec<u32> = (0..6000)
        .map(|x: u32| x.wrapping_mul(2_654_435_761))
        .collect();
    let mut others = numbers.clone();
    numbers.par_sort();
    others.par_sort_unstable_by(|a, b| b.cmp(a));
    println!(
        "{} {}",
        numbers.is_sorted(),
        others.iter().rev().is_sorted()
    );
}
