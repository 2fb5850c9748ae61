//! Two threads take two locks of `threadlink::sync` in opposite order.

use threadlink::sync::TracingMutex;
use threadlink::thread;
use wasip1_threads_programs::Meeting;

static LOCKS: [TracingMutex<u32>; 2] = [TracingMutex::new(0), TracingMutex::new(0)];
static MEETING: Meeting = Meeting::new();

fn work(first: usize, second: usize) {
    let mut first = LOCKS[first].lock();
    MEETING.meet();
    let mut second = LOCKS[second].lock(); //~ deadlock(1) deadlock(1)
    *first += 1;
    *second += 1;
}

fn main() {
    let one = thread::spawn(|| work(0, 1));
    let two = thread::spawn(|| work(1, 0));
    one.join().unwrap(); //~ deadlock(1)
    two.join().unwrap();
}
