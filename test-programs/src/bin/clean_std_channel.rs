//! A channel of std's, of which no hook tells: what it orders is to be seen from its atomics.
//@ stdout: 36

use std::sync::mpsc;

use threadlink::thread;

fn main() {
    let (sender, receiver) = mpsc::channel::<Box<u32>>();
    let producers = [1, 2, 3].map(|n| {
        let sender = sender.clone();
        thread::spawn(move || drop(sender.send(Box::new(10 + n))))
    });
    drop(sender);
    let consumer = thread::spawn(move || receiver.into_iter().map(|number| *number).sum::<u32>());
    threadlink::println!("{}", consumer.join().unwrap());
    for thread in producers {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
