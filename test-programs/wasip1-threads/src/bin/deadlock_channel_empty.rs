//! The loop over a channel ends when its last sender is dropped, and main has one.
//@ says: deadlock: T0 main waits to receive from the empty channel 0x… (std::sync::mpsc); no thread is left that could send into it

use std::sync::mpsc::channel;
use std::thread;

fn main() {
    let (sender, receiver) = channel();
    let another = sender.clone();
    thread::spawn(move || another.send(1).unwrap());
    let mut sum = 0;
    while let Ok(number) = receiver.recv() { //~ deadlock(1)
        sum += number;
    }
    println!("{sum}");
    drop(sender);
}
