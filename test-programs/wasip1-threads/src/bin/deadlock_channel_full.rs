//! Two threads fill the channels that the other one is to empty later.
//@ says: deadlock: T0 main and T1 `ping` wait to send into full channels; no thread is left that could receive from them
//@ says: T1 `ping` waits to send into the full channel 0x… (std::sync::mpsc); no thread is left that could receive from it
//@ says: allocated by thread T0 main

use std::sync::mpsc::sync_channel;
use std::thread;

fn main() {
    let (to_main, from_ping) = sync_channel(1);
    let (to_ping, from_main) = sync_channel(1);
    let ping = move || {
        for number in 0..4 {
            to_main.send(number).unwrap(); //~ deadlock(1)
        }
        from_main.iter().sum::<u32>()
    };
    let ping = thread::Builder::new().name("ping".into()).spawn(ping).unwrap();
    for number in 0..4 {
        to_ping.send(number).unwrap(); //~ deadlock(1)
    }
    drop(to_ping);
    println!("{} {}", from_ping.iter().sum::<u32>(), ping.join().unwrap());
}
