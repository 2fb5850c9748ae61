//! Three philosophers who take the left fork first, but are polite: each waits for the turn.
//!
//! No schedule deadlocks. The turn is an atomic, which orders them in this run and says nothing about the
//! forks; clean_philosophers is right without it.

use std::sync::atomic::{AtomicUsize, Ordering};

use test_programs::spawn_named;
use threadlink::sync::TracingMutex;
use threadlink::{annotate, thread};

const SEATS: usize = 3;
static FORKS: [TracingMutex<u32>; SEATS] = [const { TracingMutex::new(0) }; SEATS];
static TURN: AtomicUsize = AtomicUsize::new(0);

fn dine(seat: usize) {
    while TURN.load(Ordering::Acquire) != seat {
        thread::yield_now();
    }
    {
        let mut left = FORKS[seat].lock();
        let mut right = FORKS[(seat + 1) % SEATS].lock(); //~ lock-order-inversion(1)
        *left += 1;
        *right += 1;
    }
    TURN.store(seat + 1, Ordering::Release);
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
        philosopher.join().unwrap();
    }
}

threadlink::main!(main);
