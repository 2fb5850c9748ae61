//! crossbeam: work stealing.
//@ stdout: 1225

use crossbeam::deque::{Injector, Steal, Worker};
use std::sync::atomic::{AtomicU32, Ordering};

fn main() {
    let injector = Injector::new();
    let own = Worker::new_lifo();
    for number in 0..25_u32 {
        injector.push(Box::new(number));
        own.push(Box::new(number + 25));
    }
    let stealer = own.stealer();
    let sum = AtomicU32::new(0);
    crossbeam::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|_| {
                let mine = Worker::new_fifo();
                loop {
                    let task = mine.pop().map_or_else(
                        || {
                            injector
                                .steal_batch_and_pop(&mine)
                                .or_else(|| stealer.steal())
                        },
                        Steal::Success,
                    );
                    match task {
                        Steal::Success(number) => {
                            sum.fetch_add(*number, Ordering::Relaxed);
                        }
                        Steal::Retry => {}
                        Steal::Empty => break,
                    }
                }
            });
        }
        while let Some(number) = own.pop() {
            sum.fetch_add(*number, Ordering::Relaxed);
        }
    })
    .unwrap();
    println!("{}", sum.load(Ordering::Relaxed));
}
