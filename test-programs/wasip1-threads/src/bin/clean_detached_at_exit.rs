//! Threads that nobody joins, one of which still runs when `main` returns.
//@ stdout: returned

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

fn main() {
    let (sender, receiver) = mpsc::channel();
    drop(thread::spawn(move || sender.send(vec![1]).unwrap()));
    drop(thread::spawn(|| thread::sleep(Duration::from_secs(3600))));
    assert_eq!(receiver.recv().unwrap(), [1]);
    println!("returned");
}
