//! rayon: parallel iterators.
//@ stdout: 41541750 250 124750

use rayon::prelude::*;

fn main() {
    rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build_global()
        .unwrap();
    let squares: Vec<u64> = (0..500_u64).into_par_iter().map(|x| x * x).collect();
    let sum: u64 = squares.par_iter().sum();
    let even = squares.par_iter().filter(|x| *x % 2 == 0).count();
    let mut numbers: Vec<u64> = (0..500).collect();
    numbers
        .par_chunks_mut(50)
        .for_each(|chunk| chunk.iter_mut().for_each(|x| *x += 1));
    let less = numbers.par_iter().map(|x| x - 1).reduce(|| 0, |a, b| a + b);
    println!("{sum} {even} {less}");
}
