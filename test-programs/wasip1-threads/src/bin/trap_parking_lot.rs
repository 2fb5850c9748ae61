//! parking_lot panics where it would have to wait: "Parking not supported on this platform".

use parking_lot::Mutex;
use std::thread;

static LOCK: Mutex<u32> = Mutex::new(0);

fn main() {
    let _guard = LOCK.lock();
    let thread = thread::spawn(|| {
        *LOCK.lock() += 1; //~ trap
    });
    thread.join().unwrap();
}
