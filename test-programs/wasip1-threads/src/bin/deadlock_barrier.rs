//! A barrier for three, to which two come.
//@ says: deadlock: T0 main and T1 wait at the barrier
//@ says: no thread is left that could come to it

use std::sync::Barrier;
use std::thread;

static BARRIER: Barrier = Barrier::new(3);

fn main() {
    let thread = thread::spawn(|| BARRIER.wait()); //~ deadlock(1)
    BARRIER.wait(); //~ deadlock(1)
    thread.join().unwrap();
}
