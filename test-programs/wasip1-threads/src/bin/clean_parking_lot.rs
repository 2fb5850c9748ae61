//! parking_lot without parking: on this target it cannot block, see `trap_parking_lot`.
//@ stdout: 30 3 true

use parking_lot::{Mutex, Once, RwLock};
use std::thread;

static SUM: Mutex<u32> = Mutex::new(0);
static LIST: RwLock<Vec<u32>> = RwLock::new(Vec::new());

/// As a lock would be taken, were there a way to wait.
fn patiently<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    loop {
        match attempt() {
            Some(guard) => return guard,
            None => thread::yield_now(),
        }
    }
}

fn main() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| *SUM.lock() += 0);
    let threads = [0, 1, 2].map(|me| {
        thread::spawn(move || {
            for _ in 0..10 {
                *patiently(|| SUM.try_lock()) += 1;
                assert!(patiently(|| LIST.try_read()).len() <= 3);
            }
            patiently(|| LIST.try_write()).push(me);
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    println!(
        "{} {} {}",
        SUM.lock(),
        LIST.read().len(),
        ONCE.state().done()
    );
}
