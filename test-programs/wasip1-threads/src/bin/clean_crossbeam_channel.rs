//! crossbeam: channels of every kind, and `select!`.
//@ stdout: 90 90 90 1

use crossbeam::channel::{after, bounded, select, unbounded};
use std::time::Duration;

fn main() {
    let (all, from_all) = unbounded();
    let (some, from_some) = bounded(2);
    let (none, from_none) = bounded(0);
    let (stop, stopped) = bounded::<()>(1);
    let mut sums = [0_u32; 3];
    crossbeam::scope(|scope| {
        for _ in 0..2 {
            let (all, some, none) = (all.clone(), some.clone(), none.clone());
            scope.spawn(move |_| {
                for number in 0..10_u32 {
                    all.send(vec![number]).unwrap();
                    some.send(Box::new(number)).unwrap();
                    none.send(Box::new(number)).unwrap();
                }
            });
        }
        drop((all, some, none));
        for _ in 0..60 {
            select! {
                recv(from_all) -> list => sums[0] += list.map_or(0, |list: Vec<u32>| list[0]),
                recv(from_some) -> number => sums[1] += number.map_or(0, |number: Box<u32>| *number),
                recv(from_none) -> number => sums[2] += number.map_or(0, |number: Box<u32>| *number),
            }
        }
        sums[0] += from_all.iter().map(|list| list[0]).sum::<u32>();
        sums[1] += from_some.iter().map(|number| *number).sum::<u32>();
        sums[2] += from_none.iter().map(|number| *number).sum::<u32>();
    })
    .unwrap();
    let timed_out = select! {
        recv(stopped) -> _ => 0,
        recv(after(Duration::from_millis(2))) -> _ => 1,
    };
    drop(stop);
    println!("{} {} {} {timed_out}", sums[0], sums[1], sums[2]);
}
