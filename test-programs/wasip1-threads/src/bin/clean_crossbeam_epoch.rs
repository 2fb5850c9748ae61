//! crossbeam: memory that is freed when no thread can see it any more.
//@ stdout: 10

use crossbeam::epoch::{self, Atomic, Owned};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

fn main() {
    let shared = Atomic::new(vec![0_u32]);
    let swaps = AtomicU32::new(0);
    crossbeam::scope(|scope| {
        for me in 0..2 {
            let (shared, swaps) = (&shared, &swaps);
            scope.spawn(move |_| {
                for round in 0..5 {
                    let guard = &epoch::pin();
                    let seen = shared.load(Acquire, guard);
                    // SAFETY: pinned, and never null.
                    assert_eq!(unsafe { seen.deref() }.len(), 1);
                    let old = shared.swap(Owned::new(vec![me * round]), AcqRel, guard);
                    // SAFETY: it was taken out.
                    unsafe { guard.defer_destroy(old) };
                    swaps.fetch_add(1, Relaxed);
                    guard.flush();
                }
            });
        }
    })
    .unwrap();
    for _ in 0..8 {
        epoch::pin().flush();
    }
    println!("{}", swaps.load(Relaxed));
    // SAFETY: nobody else is there.
    drop(unsafe { shared.into_owned() });
}
