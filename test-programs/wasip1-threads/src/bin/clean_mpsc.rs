//! Channels of std: unbounded, bounded and rendezvous, with several senders.
//@ stdout: 90 90 90

use std::sync::mpsc;
use std::thread;

fn main() {
    let (unbounded, all) = mpsc::channel();
    let (bounded, some) = mpsc::sync_channel(2);
    let (rendezvous, one) = mpsc::sync_channel(0);
    let threads = [0, 1].map(|_| {
        let (unbounded, bounded, rendezvous) =
            (unbounded.clone(), bounded.clone(), rendezvous.clone());
        thread::spawn(move || {
            for number in 0..10_u32 {
                unbounded.send(vec![number]).unwrap();
                bounded.send(Box::new(number)).unwrap();
                rendezvous.send(Box::new(number)).unwrap();
            }
        })
    });
    drop((unbounded, bounded, rendezvous));
    let mut sums = [0; 3];
    for _ in 0..20 {
        sums[1] += *some.recv().unwrap();
        sums[2] += *one.recv().unwrap();
    }
    sums[0] = all.iter().map(|list| list[0]).sum();
    assert!(some.recv().is_err() && one.try_recv().is_err());
    for thread in threads {
        thread.join().unwrap();
    }
    println!("{} {} {}", sums[0], sums[1], sums[2]);
}
