//! A full channel of flume, whose receiver waits for the sender to end.
//@ says: T1 waits
//@ says: (flume)

use std::thread;

fn main() {
    let (sender, receiver) = flume::bounded(1);
    let thread = thread::spawn(move || {
        sender.send(1).unwrap();
        sender.send(2).unwrap(); //~ deadlock(1)
    });
    thread.join().unwrap(); //~ deadlock(1)
    println!("{}", receiver.recv().unwrap());
}
