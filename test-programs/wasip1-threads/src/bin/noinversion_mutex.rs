//! Mutexes of std that are taken in both orders and cannot deadlock: behind a gate, one order after the other's threads
//! are joined, and with attempts that may fail. The twin of inversion_mutex.

use std::sync::{Mutex, TryLockError};
use std::thread;

static GATE: Mutex<()> = Mutex::new(());
static A: Mutex<u32> = Mutex::new(0);
static B: Mutex<u32> = Mutex::new(0);
static C: Mutex<u32> = Mutex::new(0);
static D: Mutex<u32> = Mutex::new(0);

fn behind_the_gate(first: &Mutex<u32>, second: &Mutex<u32>) {
    for _ in 0..10 {
        let _gate = GATE.lock().unwrap();
        let mut first = first.lock().unwrap();
        thread::yield_now();
        *second.lock().unwrap() += 1;
        *first += 1;
    }
}

fn or_not(first: &Mutex<u32>, second: &Mutex<u32>) {
    for _ in 0..10 {
        let mut first = first.lock().unwrap();
        thread::yield_now();
        match second.try_lock() {
            Ok(mut second) => *second += 1,
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Poisoned(_)) => unreachable!(),
        }
        *first += 1;
    }
}

fn both(first: &'static Mutex<u32>, second: &'static Mutex<u32>) {
    let mut first = first.lock().unwrap();
    *second.lock().unwrap() += 1;
    *first += 1;
}

fn main() {
    let gated = [(&A, &B), (&B, &A)].map(|(a, b)| thread::spawn(|| behind_the_gate(a, b)));
    _ = gated.map(|thread| thread.join().unwrap());

    let attempts = [(&C, &D), (&D, &C)].map(|(c, d)| thread::spawn(|| or_not(c, d)));
    _ = attempts.map(|thread| thread.join().unwrap());

    thread::spawn(|| both(&C, &D)).join().unwrap();
    thread::spawn(|| both(&D, &C)).join().unwrap();

    let [a, b, c, d] = [&A, &B, &C, &D].map(|lock| *lock.lock().unwrap());
    assert_eq!((a, b, c), (20, 20, d));
}
