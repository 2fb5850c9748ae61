//! The twins of `deadlock_crossbeam_channel` and `deadlock_flume`: the channels are emptied before the senders are joined.
//@ stdout: 3 3

use crossbeam::channel::bounded;
use std::thread;

fn main() {
    let (sender, receiver) = bounded(1);
    let first = thread::spawn(move || {
        sender.send(1).unwrap();
        sender.send(2).unwrap();
    });
    let (sender, other) = flume::bounded(1);
    let second = thread::spawn(move || {
        sender.send(1).unwrap();
        sender.send(2).unwrap();
    });
    println!("{} {}", receiver.iter().sum::<u32>(), other.iter().sum::<u32>());
    first.join().unwrap();
    second.join().unwrap();
}
