//! A barrier for three, and two threads.

use threadlink::sync::TracingBarrier;
use threadlink::thread;

static ALL_HERE: TracingBarrier = TracingBarrier::new(3);

fn arrive() {
    ALL_HERE.wait(); //~ deadlock(1) deadlock(1)
}

fn main() {
    let thread = thread::spawn(arrive);
    arrive();
    thread.join().unwrap();
}

threadlink::main!(main);
