//! Locks that are taken in one order by the threads of a scope and in the other after its end, by threads and by main; and
//! other locks, at the same place of the stack. Nobody joins a thread by its handle. The twin of inversion_scope.

use std::sync::Mutex;
use std::thread;

static A: Mutex<u32> = Mutex::new(0);
static B: Mutex<u32> = Mutex::new(0);

#[inline(never)]
fn both(first: &Mutex<u32>, second: &Mutex<u32>) {
    let mut first = first.lock().unwrap();
    *second.lock().unwrap() += 1;
    *first += 1;
}

#[inline(never)]
fn phase(first: &'static Mutex<u32>, second: &'static Mutex<u32>) {
    thread::scope(|scope| {
        scope.spawn(|| both(first, second));
        scope.spawn(|| both(first, second));
    });
}

#[inline(never)]
fn of_its_own(reversed: bool) -> u32 {
    let locks = [Mutex::new(0), Mutex::new(0)];
    let (first, second) = (usize::from(reversed), usize::from(!reversed));
    thread::scope(|scope| {
        scope.spawn(|| both(&locks[first], &locks[second]));
    });
    locks
        .into_iter()
        .map(|lock| lock.into_inner().unwrap())
        .sum()
}

fn main() {
    phase(&A, &B);
    phase(&B, &A);
    both(&A, &B);
    assert_eq!((*A.lock().unwrap(), *B.lock().unwrap()), (5, 5));
    assert_eq!(of_its_own(false) + of_its_own(true), 4);
}
