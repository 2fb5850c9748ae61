//! Readers see both numbers or neither, also through a writer that becomes a reader.
//@ stdout: 6

use threadlink::sync::{TracingRwLock, TracingRwLockWriteGuard};
use threadlink::thread;

static PAIR: TracingRwLock<(u32, u32)> = TracingRwLock::new((0, 0));

fn write() {
    for _ in 0..3 {
        let mut pair = PAIR.write();
        pair.0 += 1;
        thread::yield_now();
        pair.1 += 1;
        let pair = TracingRwLockWriteGuard::downgrade(pair);
        assert_eq!(pair.0, pair.1);
    }
}

fn read() {
    for _ in 0..3 {
        let pair = PAIR.read();
        assert_eq!(pair.0, pair.1);
    }
}

fn main() {
    let threads = [write, read, write, read].map(thread::spawn);
    for thread in threads {
        thread.join().unwrap();
    }
    threadlink::println!("{}", PAIR.read().1);
}

threadlink::main!(main);
