//! A panic aborts, so one in a thread ends all.

use std::thread;
use std::time::Duration;

#[inline(never)]
fn fail(me: u32) {
    assert_ne!(me, 1, "thread {me} fails"); //~ trap
}

fn main() {
    let threads = [0, 1].map(|me| thread::spawn(move || fail(me)));
    for thread in threads {
        thread.join().unwrap();
    }
    thread::sleep(Duration::from_secs(1));
}
