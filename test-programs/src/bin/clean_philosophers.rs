//! The twin of deadlock_philosophers: everybody takes the fork with the lower number first.
//@ stdout: 24

use threadlink::sync::TracingMutex;
use threadlink::thread;

const SEATS: usize = 3;
static FORKS: [TracingMutex<u32>; SEATS] = [const { TracingMutex::new(0) }; SEATS];

fn dine(seat: usize) {
    let next = (seat + 1) % SEATS;
    for _ in 0..4 {
        let mut first = FORKS[seat.min(next)].lock();
        thread::yield_now();
        let mut second = FORKS[seat.max(next)].lock();
        *first += 1;
        *second += 1;
    }
}

fn main() {
    let philosophers: [_; SEATS] = std::array::from_fn(|seat| thread::spawn(move || dine(seat)));
    for philosopher in philosophers {
        philosopher.join().unwrap();
    }
    let used: u32 = FORKS.iter().map(|fork| *fork.lock()).sum();
    threadlink::println!("{used}");
}

threadlink::main!(main);
