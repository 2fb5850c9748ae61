//! Two threads allocate, write and free, again and again. They get each other's memory, and only the
//! allocator orders them.

use std::hint::black_box;

use threadlink::thread;

fn churn() {
    for n in 0..16_u32 {
        let mut block = black_box(Box::new([n; 8]));
        block[3] += 1;
        black_box(&block);
        drop(block);
        thread::yield_now();
    }
}

fn main() {
    let threads = [thread::spawn(churn), thread::spawn(churn)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
