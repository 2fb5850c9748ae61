//! Memory that was a lock and is something else: counters at the same place of the stack, and another lock in a heap block
//! whose lock was still taken. And one compare-exchange that LLVM makes of a `lock` and a `try_lock`.

use std::array;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread;

static A: Mutex<()> = Mutex::new(());
static B: Mutex<()> = Mutex::new(());
static C: Mutex<()> = Mutex::new(());
static TURN: AtomicU32 = AtomicU32::new(0);

#[inline(never)]
fn locks() {
    let locks: [Mutex<u32>; 8] = array::from_fn(|_| Mutex::new(0));
    let each = || {
        for lock in &locks {
            let _c = C.lock().unwrap();
            *lock.lock().unwrap() += 1;
        }
    };
    thread::scope(|scope| _ = scope.spawn(each).join());
}

#[inline(never)]
fn counters() {
    let counters: [AtomicU32; 16] = array::from_fn(|_| AtomicU32::new(0));
    let each = || {
        for counter in &counters {
            _ = counter.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed);
        }
        drop(C.lock().unwrap());
    };
    thread::scope(|scope| {
        scope.spawn(each);
        scope.spawn(each);
    });
}

/// The lock goes with its block, taken.
fn leaked() {
    let lock = Box::new((Mutex::new(7), [0_u8; 200]));
    mem::forget(lock.0.lock());
    drop(lock);
    let other = Arc::new(Box::new((Mutex::new(7), [0_u8; 200])));
    let thread = thread::spawn({
        let other = Arc::clone(&other);
        move || {
            let _c = C.lock().unwrap();
            *other.0.lock().unwrap() += 1;
        }
    });
    drop(C.lock().unwrap());
    thread.join().unwrap();
    assert_eq!(*other.0.lock().unwrap(), 8);
}

#[inline(never)]
fn during(lock: &Mutex<()>, waits: bool, work: &mut dyn FnMut()) {
    let _guard = if waits {
        lock.lock().unwrap_or_else(PoisonError::into_inner)
    } else {
        match lock.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        }
    };
    work();
}

fn attempts(turn: u32, first: &Mutex<()>, second: &Mutex<()>) {
    while TURN.load(Ordering::Acquire) != turn {
        thread::yield_now();
    }
    let mut done = false;
    during(first, true, &mut || {
        during(second, false, &mut || done = true)
    });
    assert!(done, "nobody else has one");
    TURN.store(turn + 1, Ordering::Release);
}

fn main() {
    locks();
    counters();
    leaked();
    let threads = [(0, &A, &B), (1, &B, &A)];
    let threads = threads.map(|(turn, a, b)| thread::spawn(move || attempts(turn, a, b)));
    _ = threads.map(|thread| thread.join().unwrap());
}
