//! The twin of `deadlock_channel_empty`: main drops its sender first.
//@ stdout: 1

use std::sync::mpsc::channel;
use std::thread;

fn main() {
    let (sender, receiver) = channel();
    let another = sender.clone();
    let thread = thread::spawn(move || another.send(1).unwrap());
    drop(sender);
    let mut sum = 0;
    while let Ok(number) = receiver.recv() {
        sum += number;
    }
    println!("{sum}");
    thread.join().unwrap();
}
