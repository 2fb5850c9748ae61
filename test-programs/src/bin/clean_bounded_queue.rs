//! Two producers and two consumers share a queue of two places.
//@ stdout: 30

use std::collections::VecDeque;

use threadlink::sync::{TracingCondvar, TracingMutex};
use threadlink::thread;

const CAPACITY: usize = 2;
const ITEMS: u32 = 5;
static QUEUE: TracingMutex<VecDeque<u32>> = TracingMutex::new(VecDeque::new());
static NOT_FULL: TracingCondvar = TracingCondvar::new();
static NOT_EMPTY: TracingCondvar = TracingCondvar::new();

fn produce() -> u32 {
    for item in 1..=ITEMS {
        let mut queue = QUEUE.lock();
        NOT_FULL.wait_while(&mut queue, |queue| queue.len() == CAPACITY);
        queue.push_back(item);
        NOT_EMPTY.notify_one();
    }
    0
}

fn consume() -> u32 {
    let mut sum = 0;
    for _ in 0..ITEMS {
        let mut queue = QUEUE.lock();
        NOT_EMPTY.wait_while(&mut queue, |queue| queue.is_empty());
        sum += queue.pop_front().unwrap();
        NOT_FULL.notify_one();
    }
    sum
}

fn main() {
    let threads = [produce, consume, produce, consume].map(thread::spawn);
    let sum: u32 = threads.map(|thread| thread.join().unwrap()).iter().sum();
    threadlink::println!("{sum}");
}

threadlink::main!(main);
