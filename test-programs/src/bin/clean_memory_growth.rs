//! One thread makes the memory grow while another works in it.
//@ stdout: 64 100

use std::hint::black_box;

use threadlink::thread;

fn grow() -> usize {
    let blocks: Vec<Vec<u8>> = (0..64).map(|n| vec![n; 32 * 1024]).collect();
    black_box(&blocks)
        .iter()
        .filter(|block| block.len() == 32 * 1024)
        .count()
}

fn work() -> usize {
    let mut list = Vec::new();
    for n in 0..100 {
        list.push(black_box(n));
        thread::yield_now();
    }
    list.len()
}

fn main() {
    let threads = [thread::spawn(grow), thread::spawn(work)];
    let [blocks, numbers] = threads.map(|thread| thread.join().unwrap());
    threadlink::println!("{blocks} {numbers}");
}

threadlink::main!(main);
