//! Two threads take two locks of std in opposite order.

use std::sync::Mutex;
use std::thread;
use wasip1_threads_programs::Meeting;

static LOCKS: [Mutex<u32>; 2] = [Mutex::new(0), Mutex::new(0)];
static MEETING: Meeting = Meeting::new();

fn work(first: usize, second: usize) {
    let mut first = LOCKS[first].lock().unwrap();
    MEETING.meet();
    let mut second = LOCKS[second].lock().unwrap(); //~ deadlock(1) deadlock(1)
    *first += 1;
    *second += 1;
}

fn main() {
    let one = thread::spawn(|| work(0, 1));
    let two = thread::spawn(|| work(1, 0));
    one.join().unwrap(); //~ deadlock(1)
    two.join().unwrap();
}
