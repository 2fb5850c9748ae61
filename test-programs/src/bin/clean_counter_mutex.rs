//! Two threads count up the same number under a mutex.
//@ stdout: 8

use threadlink::sync::TracingMutex;
use threadlink::thread;

static COUNTER: TracingMutex<u32> = TracingMutex::new(0);

fn count() {
    for _ in 0..4 {
        *COUNTER.lock() += 1;
    }
}

fn main() {
    let threads = [thread::spawn(count), thread::spawn(count)];
    for thread in threads {
        thread.join().unwrap();
    }
    threadlink::println!("{}", COUNTER.lock());
}

threadlink::main!(main);
