//! Readers that take two read-write locks of std in both orders, and writers that take them in one: the twin of
//! inversion_rwlock.

use std::sync::{Arc, Mutex, RwLock};
use std::thread;

#[derive(Default)]
struct Shared {
    names: RwLock<Vec<u32>>,
    sizes: RwLock<Vec<u32>>,
    order: Mutex<u32>,
}

/// Never at the same time as the writer, which would have to be let in between two readers.
fn read(shared: &Shared, names_first: bool) {
    for _ in 0..5 {
        let sum: u32 = if names_first {
            let names = shared.names.read().unwrap();
            thread::yield_now();
            let sizes = shared.sizes.read().unwrap();
            names.iter().zip(&*sizes).map(|(a, b)| a + b).sum()
        } else {
            let sizes = shared.sizes.read().unwrap();
            thread::yield_now();
            let names = shared.names.read().unwrap();
            names.iter().zip(&*sizes).map(|(a, b)| a + b).sum()
        };
        assert_eq!(sum % 2, 0);
    }
}

fn write(shared: &Shared) {
    for _ in 0..5 {
        let mut order = shared.order.lock().unwrap();
        shared.names.write().unwrap().push(*order);
        shared.sizes.write().unwrap().push(*order);
        *order += 1;
    }
}

fn main() {
    let shared = Arc::new(Shared::default());
    let spawn = |work: fn(&Shared)| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || work(&shared))
    };
    _ = [spawn(write), spawn(write)].map(|thread| thread.join().unwrap());
    let readers = [
        spawn(|shared| read(shared, true)),
        spawn(|shared| read(shared, false)),
    ];
    _ = readers.map(|thread| thread.join().unwrap());
    assert_eq!(*shared.order.lock().unwrap(), 10);
}
