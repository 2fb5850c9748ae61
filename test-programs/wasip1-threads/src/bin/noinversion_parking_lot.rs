//! Locks of parking_lot that are taken in both orders, where one of the attempts gives up after a while, or a lock was left
//! before. The twin of inversion_parking_lot; as there, nobody ever waits, which parking_lot cannot on this target.

use parking_lot::{Mutex, MutexGuard, RwLock};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

static A: Mutex<u32> = Mutex::new(0);
static B: RwLock<u32> = RwLock::new(0);
static C: Mutex<u32> = Mutex::new(0);
static TURN: AtomicUsize = AtomicUsize::new(0);

fn a_then_b() {
    let mut a = A.lock();
    *B.write() += 1;
    *a += 1;
}

fn b_then_maybe_a() {
    let b = B.read();
    let a = A.try_lock_for(Duration::from_micros(10));
    *a.expect("nobody has it") += *b;
}

fn c_before_a() {
    let mut c = C.lock();
    *c += 1;
    MutexGuard::unlock_fair(c);
    *A.lock() += 1;
}

fn a_then_c() {
    let a = A.lock();
    *C.lock() += *a;
}

fn main() {
    let works: [fn(); 4] = [a_then_b, b_then_maybe_a, c_before_a, a_then_c];
    let threads: Vec<_> = (works.into_iter().enumerate())
        .map(|(turn, work)| {
            thread::spawn(move || {
                while TURN.load(Ordering::Acquire) != turn {
                    thread::yield_now();
                }
                work();
                TURN.store(turn + 1, Ordering::Release);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!((*A.lock(), *B.read(), *C.lock()), (3, 1, 4));
}
