//! A channel without capacity, whose receiver waits for something else first: to be unparked.
//@ says: T0 main waits to hand over to a receiver of the channel
//@ says: T1 waits to be unparked (std::thread::park); no thread is left that could unpark it

use std::sync::mpsc::sync_channel;
use std::thread;

fn main() {
    let (sender, receiver) = sync_channel(0);
    let thread = thread::spawn(move || {
        thread::park(); //~ deadlock(1)
        receiver.recv().unwrap()
    });
    sender.send(1).unwrap(); //~ deadlock(1)
    thread.thread().unpark();
    println!("{}", thread.join().unwrap());
}
