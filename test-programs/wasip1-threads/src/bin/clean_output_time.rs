//! Several threads print, sleep and look at the clock.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

fn main() {
    let threads = [1, 2, 3].map(|me| {
        thread::spawn(move || {
            let start = Instant::now();
            for line in 0..4 {
                println!("thread {me}, line {line}");
                eprintln!("thread {me}, line {line}");
                thread::sleep(Duration::from_millis(me));
            }
            assert!(start.elapsed() >= Duration::from_millis(4 * me));
            assert!(SystemTime::now() > SystemTime::UNIX_EPOCH);
            thread::yield_now();
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    println!("done on {}", thread::available_parallelism().is_ok());
}
