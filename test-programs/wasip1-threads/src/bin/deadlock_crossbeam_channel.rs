//! A full channel of crossbeam, whose receiver waits for the sender to end.
//@ says: T1 waits to send into the full channel 0x… (crossbeam_channel)

use crossbeam::channel::bounded;
use std::thread;

fn main() {
    let (sender, receiver) = bounded(1);
    let thread = thread::spawn(move || {
        sender.send(1).unwrap();
        sender.send(2).unwrap(); //~ deadlock(1)
    });
    thread.join().unwrap(); //~ deadlock(1)
    println!("{}", receiver.recv().unwrap());
}
