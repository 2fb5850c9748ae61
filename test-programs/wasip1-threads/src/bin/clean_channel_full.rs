//! The twin of `deadlock_channel_full`: the channels have room for what is sent.
//@ stdout: 6 6

use std::sync::mpsc::sync_channel;
use std::thread;

fn main() {
    let (to_main, from_ping) = sync_channel(4);
    let (to_ping, from_main) = sync_channel(4);
    let ping = move || {
        for number in 0..4 {
            to_main.send(number).unwrap();
        }
        drop(to_main);
        from_main.iter().sum::<u32>()
    };
    let ping = thread::Builder::new().name("ping".into()).spawn(ping).unwrap();
    for number in 0..4 {
        to_ping.send(number).unwrap();
    }
    drop(to_ping);
    println!("{} {}", from_ping.iter().sum::<u32>(), ping.join().unwrap());
}
