//! crossbeam: queues, cells and wait groups.
//@ stdout: 90 true 20

use crossbeam::atomic::AtomicCell;
use crossbeam::queue::{ArrayQueue, SegQueue};
use crossbeam::sync::{Parker, ShardedLock, WaitGroup};

fn main() {
    let segments = SegQueue::new();
    let array = ArrayQueue::new(4);
    let cell = AtomicCell::new(0_u64);
    let lock = ShardedLock::new(Vec::new());
    let group = WaitGroup::new();
    crossbeam::scope(|scope| {
        for me in 0..2_u32 {
            let (segments, array, cell, lock) = (&segments, &array, &cell, &lock);
            let group = group.clone();
            scope.spawn(move |_| {
                for number in 0..10_u32 {
                    segments.push(vec![number]);
                    if let Some(old) = array.force_push(Box::new(number)) {
                        assert!(*old < 10);
                    }
                    cell.fetch_add(1);
                }
                lock.write().unwrap().push(me);
                drop(group);
            });
        }
        group.wait();
        assert_eq!(lock.read().unwrap().len(), 2);
    })
    .unwrap();
    let mut sum = 0;
    while let Some(list) = segments.pop() {
        sum += list[0];
    }
    let parker = Parker::new();
    parker.unparker().unpark();
    parker.park();
    println!("{sum} {} {}", array.pop().is_some(), cell.load());
}
