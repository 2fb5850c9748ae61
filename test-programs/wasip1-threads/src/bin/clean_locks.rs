//! `Mutex` and `RwLock` of std, taken in every way.
//@ stdout: 60 30 true

use std::sync::{Mutex, RwLock};
use std::thread;

static SUM: Mutex<u32> = Mutex::new(0);
static LIST: RwLock<Vec<u32>> = RwLock::new(Vec::new());

fn work(me: u32) {
    for round in 0..20 {
        *SUM.lock().unwrap() += 1;
        if round % 2 == 0 {
            LIST.write().unwrap().push(me);
        } else {
            assert!(LIST.read().unwrap().iter().all(|&who| who < 3));
        }
    }
    if let Ok(mut sum) = SUM.try_lock() {
        *sum += 0;
    }
    let _held = LIST.try_read().map(|list| list.len());
}

fn main() {
    let threads: Vec<_> = (0..3).map(|me| thread::spawn(move || work(me))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let free = SUM.try_lock().is_ok() && LIST.try_write().is_ok();
    println!(
        "{} {} {free}",
        SUM.lock().unwrap(),
        LIST.read().unwrap().len()
    );
}
