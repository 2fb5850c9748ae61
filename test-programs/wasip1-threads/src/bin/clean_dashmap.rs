//! dashmap, whose locks are parking_lot's: many read at once, and one writes while nobody else is there.
//@ stdout: 50 2450 true

use dashmap::DashMap;
use std::thread;

fn main() {
    let map = DashMap::new();
    thread::scope(|scope| {
        scope.spawn(|| (0..50_u64).for_each(|key| drop(map.insert(key, vec![key]))));
    });
    let sum = thread::scope(|scope| {
        let threads = [0, 1].map(|_| {
            scope.spawn(|| {
                (0..50)
                    .map(|key| map.get(&key).map_or(0, |list| list[0]))
                    .sum::<u64>()
            })
        });
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<u64>()
    });
    map.alter(&1, |_, mut list| {
        list.push(0);
        list
    });
    println!(
        "{} {sum} {}",
        map.len(),
        map.get(&1).is_some_and(|list| list.len() == 2)
    );
}
