//! How many steps the numbers below 64 take to come down to 1, by two threads.

use memo::Memo;
use std::thread;

static STEPS: Memo = Memo::new();

/// Halve an even number, of an odd one take the triple and one: so many steps, and one.
fn steps(n: usize) -> u64 {
    match n {
        0 | 1 => 1,
        n if n % 2 == 0 => 1 + steps(n / 2),
        n => 1 + steps(3 * n + 1),
    }
}

fn longest() -> u64 {
    (0..64).map(|n| STEPS.get(n, steps)).max().unwrap()
}

fn main() {
    let threads = [thread::spawn(longest), thread::spawn(longest)];
    for thread in threads {
        println!("{}", thread.join().unwrap());
    }
}
