//! crossbeam's `AtomicCell` of a type that is too large for an atomic: a sequence lock, whose reader copies the
//! value while another thread may write it, and throws it away if one did. By the memory model that is a data
//! race, as crossbeam-utils says itself (`atomic_cell.rs`, "In theory, data races are *always* UB").
//@ seeds: some

use crossbeam::atomic::AtomicCell;

fn main() {
    let cell = AtomicCell::new([0_u64; 4]);
    crossbeam::scope(|scope| {
        scope.spawn(|_| {
            for number in 0..4 {
                cell.store([number; 4]); //~ race(1)
            }
        });
        for _ in 0..4 {
            let [first, .., last] = cell.load(); //~ race(1)
            assert_eq!(first, last);
        }
    })
    .unwrap();
}
