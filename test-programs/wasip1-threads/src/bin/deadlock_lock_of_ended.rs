//! A thread ends with the lock that main wants.
//@ says: deadlock: T0 main waits for a lock whose holder has ended
//@ says: held by T1 `holder` (which has ended)

use std::mem;
use std::sync::{Arc, Mutex};
use std::thread;

fn main() {
    let lock = Arc::new(Mutex::new(0));
    let same = Arc::clone(&lock);
    let holder = move || mem::forget(same.lock());
    let holder = thread::Builder::new().name("holder".into()).spawn(holder).unwrap();
    holder.join().unwrap();
    println!("{}", lock.lock().unwrap()); //~ deadlock(1)
}
