//! Three philosophers, each of whom takes the left fork first.
//!
//! They block only in schedules where all of them have the left one. Others show the order of the forks.
//@ seeds: some

use test_programs::spawn_named;
use threadlink::sync::TracingMutex;
use threadlink::{annotate, thread};

const SEATS: usize = 3;
static FORKS: [TracingMutex<u32>; SEATS] = [const { TracingMutex::new(0) }; SEATS];

fn dine(seat: usize) {
    for _ in 0..4 {
        let mut left = FORKS[seat].lock();
        thread::yield_now();
        let mut right = FORKS[(seat + 1) % SEATS].lock(); //~ deadlock(1) lock-order-inversion(1)
        *left += 1;
        *right += 1;
    }
}

fn main() {
    for (fork, name) in FORKS
        .iter()
        .zip(["first fork", "second fork", "third fork"])
    {
        annotate::lock_name(fork, name);
    }
    let names = ["Plato", "Hypatia", "Kant"];
    let philosophers: [_; SEATS] =
        std::array::from_fn(|seat| spawn_named(names[seat], move || dine(seat)));
    for philosopher in philosophers {
        philosopher.join().unwrap(); //~ deadlock(1)
    }
}

threadlink::main!(main);
