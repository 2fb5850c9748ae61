//! A bounded queue for many producers and consumers, in a ring of slots with sequence numbers
//! (Vyukov's design). The items themselves are plain memory.
//!
//! Half of the threads produce. Who finds the ring full or empty tries `--spin` times, and then sleeps
//! `--wait-ns` nanoseconds between attempts, or only yields if that is 0.
//@ args: --threads 4 --iters 12 --slots 4 --spin 3 --wait-ns 1000
//@ stdout: 24 items, sum 300

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use test_programs::{Shared, option};
use threadlink::thread;

struct Slot {
    /// The ticket whose turn it is: the position to write it, one more to read it.
    turn: AtomicU32,
    item: Shared<u32>,
}

struct Ring {
    slots: Vec<Slot>,
    write_ticket: AtomicU32,
    read_ticket: AtomicU32,
}

impl Ring {
    fn new(slots: u32) -> Ring {
        let slot = |turn| Slot {
            turn: AtomicU32::new(turn),
            item: Shared::new(0),
        };
        Ring {
            slots: (0..slots).map(slot).collect(),
            write_ticket: AtomicU32::new(0),
            read_ticket: AtomicU32::new(0),
        }
    }

    fn slot(&self, ticket: u32) -> &Slot {
        &self.slots[ticket as usize % self.slots.len()]
    }

    fn push(&self, item: u32, patience: &Patience) {
        let ticket = self.write_ticket.fetch_add(1, Ordering::Relaxed);
        let slot = self.slot(ticket);
        patience.wait_until(|| slot.turn.load(Ordering::Acquire) == ticket);
        // SAFETY: it is the turn of this ticket, and nobody else has it.
        unsafe { *slot.item.get() = item }
        slot.turn.store(ticket + 1, Ordering::Release);
    }

    fn pop(&self, patience: &Patience) -> u32 {
        let ticket = self.read_ticket.fetch_add(1, Ordering::Relaxed);
        let slot = self.slot(ticket);
        patience.wait_until(|| slot.turn.load(Ordering::Acquire) == ticket + 1);
        // SAFETY: it is the turn of this ticket, and nobody else has it.
        let item = unsafe { *slot.item.get() };
        let next_round = ticket + self.slots.len() as u32;
        slot.turn.store(next_round, Ordering::Release);
        item
    }
}

struct Patience {
    spin: u32,
    wait: Duration,
}

impl Patience {
    fn wait_until(&self, ready: impl Fn() -> bool) {
        for _ in 0..self.spin {
            if ready() {
                return;
            }
        }
        while !ready() {
            if self.wait.is_zero() {
                thread::yield_now();
            } else {
                thread::sleep(self.wait);
            }
        }
    }
}

fn main() {
    let pairs = (option("--threads", 2) / 2).max(1);
    let iters = option("--iters", 10);
    // With one slot, "full" and "empty again" would be the same number.
    let ring = Ring::new(option("--slots", 4).max(2));
    let patience = Patience {
        spin: option("--spin", 0),
        wait: Duration::from_nanos(option("--wait-ns", 0).into()),
    };
    let sum: u32 = thread::scope(|s| {
        let consumers: Vec<_> = (0..pairs)
            .map(|pair| {
                let (ring, patience) = (&ring, &patience);
                s.spawn(move || {
                    for n in 0..iters {
                        ring.push(pair * iters + n + 1, patience);
                    }
                });
                s.spawn(move || (0..iters).map(|_| ring.pop(patience)).sum::<u32>())
            })
            .collect();
        consumers
            .into_iter()
            .map(|consumer| consumer.join().unwrap())
            .sum()
    });
    threadlink::println!("{} items, sum {sum}", pairs * iters);
}

threadlink::main!(main);
