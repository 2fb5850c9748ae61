//! The twin of race_barrier_missing: the threads meet between writing and reading.
//@ stdout: 3

use test_programs::Shared;
use threadlink::sync::TracingBarrier;
use threadlink::thread;

static SLOTS: [Shared<u32>; 2] = [Shared::new(0), Shared::new(0)];
static WRITTEN: TracingBarrier = TracingBarrier::new(2);

fn exchange(me: usize) -> u32 {
    // SAFETY: nobody else writes this slot, or reads it before the barrier.
    unsafe { *SLOTS[me].get() = me as u32 + 1 }
    WRITTEN.wait();
    // SAFETY: nobody writes after the barrier.
    unsafe { *SLOTS[1 - me].get() }
}

fn main() {
    let threads = [0, 1].map(|me| thread::spawn(move || exchange(me)));
    let sum: u32 = threads.map(|thread| thread.join().unwrap()).iter().sum();
    threadlink::println!("{sum}");
}

threadlink::main!(main);
