//! Threads that wait for each other's locks.

/// CS/deadlock01 of SCTBench: two threads take two locks in opposite orders.
///
/// **Fails**: a deadlock. **Preemptions**: 1. **Twin**: the same order.
mod deadlock01 {
    use crate::guest::{lock, subject, threads, words};
    use std::sync::Mutex;

    words!(COUNTER = 1);
    static A: Mutex<()> = Mutex::new(());
    static B: Mutex<()> = Mutex::new(());

    fn up(_: u32) {
        let _first = lock(&A);
        let _second = lock(&B);
        COUNTER.set(COUNTER.get() + 1);
    }

    fn down<const FIXED: bool>(_: u32) {
        let (first, second) = if FIXED { (&A, &B) } else { (&B, &A) };
        let _first = lock(first);
        let _second = lock(second);
        COUNTER.set(COUNTER.get() - 1);
    }

    fn run<const FIXED: bool>() {
        threads([up, down::<FIXED>]);
    }
    subject!(deadlock01, deadlock01_fixed);
}

/// CS/carter01 of SCTBench: threads of two classes exclude each other. The first of a class takes a lock for all of it, while it has the lock of
/// the counts.
///
/// **Fails**: a deadlock: who has the class's lock cannot give it up without that of the counts. **Preemptions**: 1. **Twin**: gives
/// up the lock of the counts before it takes the other.
mod carter01 {
    use crate::guest::{array, crowd, lock, subject};
    use std::sync::Mutex;

    array!(MEMBERS: 2);
    static COUNTS: Mutex<()> = Mutex::new(());
    static CLASS: Mutex<()> = Mutex::new(());

    fn member<const FIXED: bool>(class: u32) {
        let members = &MEMBERS[class as usize];
        let mut counts = Some(lock(&COUNTS));
        let first = members.add(1) == 0;
        if FIXED {
            counts = None;
        }
        let exclusive = first.then(|| lock(&CLASS));
        drop(counts);
        let _counts = lock(&COUNTS);
        members.sub(1);
        drop(exclusive);
    }

    fn run<const FIXED: bool>() {
        crowd(2, member::<FIXED>);
    }
    subject!(carter01, carter01_fixed);
}

/// Dijkstra's philosophers: `n` of them, who take the left fork first.
///
/// **Fails**: a deadlock, where all have their left fork. **Preemptions**: 1, for every `n`: the first is left with one fork, and the others then
/// block. **Twin**: the last takes the right fork first.
mod philosophers {
    use crate::guest::{crowds, lock, subject};
    use std::sync::Mutex;

    static FORKS: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];

    fn eat(first: usize, second: usize) {
        let _first = lock(&FORKS[first]);
        let _second = lock(&FORKS[second]);
    }

    fn philosopher(seat: u32) {
        eat(seat as usize, seat as usize + 1);
    }

    /// Whose right fork is the first one.
    fn last<const FIXED: bool>(seat: u32) {
        match FIXED {
            true => eat(0, seat as usize),
            false => eat(seat as usize, 0),
        }
    }

    fn run<const FIXED: bool>(seats: u32) {
        crowds((seats - 1, philosopher), (1, last::<FIXED>));
    }
    subject!(philosophers, philosophers_fixed, 3);
}

/// Two readers of a read-write lock want to write, and keep what they have until then.
///
/// **Fails**: a deadlock: each waits until it is the only reader. **Preemptions**: 1. **Twin**: one reader at a time may want to write
/// later, and says so before it reads.
mod rwlock_upgrade {
    use crate::guest::{crowd, lock, subject, wait, words};
    use std::sync::{Condvar, Mutex};

    words!(VALUE = 0);
    /// How many read.
    static READERS: Mutex<u32> = Mutex::new(0);
    static CHANGED: Condvar = Condvar::new();
    static UPGRADABLE: Mutex<()> = Mutex::new(());

    fn increment<const FIXED: bool>(_: u32) {
        let _upgradable = FIXED.then(|| lock(&UPGRADABLE));
        *lock(&READERS) += 1;
        let value = VALUE.get();
        let mut readers = lock(&READERS);
        while *readers > 1 {
            readers = wait(&CHANGED, readers);
        }
        VALUE.set(value + 1);
        *readers -= 1;
        CHANGED.notify_all();
    }

    fn run<const FIXED: bool>() {
        crowd(2, increment::<FIXED>);
    }
    subject!(rwlock_upgrade, rwlock_upgrade_fixed);
}

/// Double lock, the most frequent blocking bug of Qin et al.: the guard of a `match` lives to its end, and a branch calls a function that takes the
/// same lock.
///
/// **Fails**: a deadlock of a thread with itself, on the branch that another thread opens. **Preemptions**: 0. **Twin**: the guard ends
/// before the `match`.
mod double_lock {
    use crate::guest::{lock, subject, threads, words};
    use std::sync::Mutex;

    words!(REFRESHED = 0);
    static CHANGED: Mutex<bool> = Mutex::new(false);

    fn refresh() {
        *lock(&CHANGED) = false;
        REFRESHED.set(1);
    }

    fn look<const FIXED: bool>(_: u32) {
        if FIXED {
            let changed = *lock(&CHANGED);
            match changed {
                true => refresh(),
                false => {}
            }
        } else {
            match *lock(&CHANGED) {
                true => refresh(),
                false => {}
            }
        }
    }

    fn change(_: u32) {
        *lock(&CHANGED) = true;
    }

    fn run<const FIXED: bool>() {
        threads([look::<FIXED>, change]);
    }
    subject!(double_lock, double_lock_fixed);
}

/// Misuse of a channel after Qin et al.: who receives has a lock that who sends needs first.
///
/// **Fails**: a deadlock, where the receiver comes first. **Preemptions**: 0. **Twin**: receives, and takes the lock then.
mod channel_under_lock {
    use crate::guest::{check, lock, subject, threads, wait, words};
    use std::sync::{Condvar, Mutex};

    words!(STATE = 0);
    static STATE_LOCK: Mutex<()> = Mutex::new(());
    static MESSAGE: Mutex<Option<u32>> = Mutex::new(None);
    static SENT: Condvar = Condvar::new();

    fn receive() -> u32 {
        let mut message = lock(&MESSAGE);
        loop {
            match message.take() {
                Some(value) => return value,
                None => message = wait(&SENT, message),
            }
        }
    }

    fn receiver<const FIXED: bool>(_: u32) {
        let state = (!FIXED).then(|| lock(&STATE_LOCK));
        let value = receive();
        let _state = state.unwrap_or_else(|| lock(&STATE_LOCK));
        check(STATE.get() == value);
    }

    fn sender(_: u32) {
        {
            let _state = lock(&STATE_LOCK);
            STATE.set(1);
        }
        *lock(&MESSAGE) = Some(1);
        SENT.notify_one();
    }

    fn run<const FIXED: bool>() {
        threads([receiver::<FIXED>, sender]);
    }
    subject!(channel_under_lock, channel_under_lock_fixed);
}
