//! flume: channels with several receivers.
//@ stdout: 90 90

use std::thread;

fn main() {
    let (all, from_all) = flume::unbounded();
    let (some, from_some) = flume::bounded(2);
    let senders = [0, 1].map(|_| {
        let (all, some) = (all.clone(), some.clone());
        thread::spawn(move || {
            for number in 0..10_u32 {
                all.send(vec![number]).unwrap();
                some.send(Box::new(number)).unwrap();
            }
        })
    });
    drop((all, some));
    let receivers = [0, 1].map(|_| {
        let from_some = from_some.clone();
        thread::spawn(move || from_some.iter().map(|number| *number).sum::<u32>())
    });
    for sender in senders {
        sender.join().unwrap();
    }
    let some: u32 = receivers
        .into_iter()
        .map(|receiver| receiver.join().unwrap())
        .sum();
    println!(
        "{} {some}",
        from_all.iter().map(|list| list[0]).sum::<u32>()
    );
}
