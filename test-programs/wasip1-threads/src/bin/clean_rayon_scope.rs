//! rayon: `join`, `scope`, `spawn`, `broadcast`, and a pool that ends.
//@ stdout: 610 15 3

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

fn fibonacci(n: u32) -> u32 {
    if n < 2 {
        return n;
    }
    let (a, b) = rayon::join(|| fibonacci(n - 1), || fibonacci(n - 2));
    a + b
}

fn main() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build()
        .unwrap();
    let number = pool.install(|| fibonacci(15));
    let mut parts = [0_u32; 5];
    pool.scope(|scope| {
        for (part, value) in parts.iter_mut().zip(1..) {
            scope.spawn(move |_| *part = value);
        }
    });
    let (sender, receiver) = mpsc::channel();
    pool.spawn(move || sender.send(Box::new(1)).unwrap());
    assert_eq!(*receiver.recv().unwrap(), 1);
    let count = AtomicU32::new(0);
    pool.broadcast(|_| count.fetch_add(1, Ordering::Relaxed));
    println!(
        "{number} {} {}",
        parts.iter().sum::<u32>(),
        count.load(Ordering::Relaxed)
    );
}
