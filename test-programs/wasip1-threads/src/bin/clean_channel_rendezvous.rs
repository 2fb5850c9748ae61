//! The twin of `deadlock_channel_rendezvous`: the thread is unparked first.
//@ stdout: 1

use std::sync::mpsc::sync_channel;
use std::thread;

fn main() {
    let (sender, receiver) = sync_channel(0);
    let thread = thread::spawn(move || {
        thread::park();
        receiver.recv().unwrap()
    });
    thread.thread().unpark();
    sender.send(1).unwrap();
    println!("{}", thread.join().unwrap());
}
