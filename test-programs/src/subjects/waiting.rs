//! Notifications that nobody hears, that the wrong one hears, or that nobody makes.

/// Lost wake-up: a thread looks whether it has to wait, and only then takes the lock and waits.
///
/// **Fails**: a lost wake-up, where the other thread notifies in between. **Preemptions**: 1. **Twin**: looks under the lock.
mod lost_wakeup {
    use crate::guest::{lock, subject, threads, wait, words};
    use std::sync::{Condvar, Mutex};

    words!(READY = 0);
    static LOCK: Mutex<()> = Mutex::new(());
    static CHANGED: Condvar = Condvar::new();

    fn waiter<const FIXED: bool>(_: u32) {
        if FIXED {
            let mut guard = lock(&LOCK);
            while READY.get() == 0 {
                guard = wait(&CHANGED, guard);
            }
        } else if READY.get() == 0 {
            drop(wait(&CHANGED, lock(&LOCK)));
        }
    }

    fn notifier(_: u32) {
        let _guard = lock(&LOCK);
        READY.set(1);
        CHANGED.notify_one();
    }

    fn run<const FIXED: bool>() {
        threads([waiter::<FIXED>, notifier]);
    }
    subject!(lost_wakeup, lost_wakeup_fixed);
}

/// The condition is changed without the lock: a thread that closes a queue sets the flag and notifies.
///
/// **Fails**: a lost wake-up, where the other thread has looked at the flag and does not wait yet. **Preemptions**: 1. **Twin**: sets
/// the flag under the lock.
mod close_unlocked {
    use crate::guest::{lock, subject, threads, wait, words};
    use std::sync::{Condvar, Mutex};

    words!(CLOSED = 0);
    static LOCK: Mutex<()> = Mutex::new(());
    static CHANGED: Condvar = Condvar::new();

    fn worker(_: u32) {
        let mut guard = lock(&LOCK);
        while CLOSED.get() == 0 {
            guard = wait(&CHANGED, guard);
        }
    }

    fn close<const FIXED: bool>(_: u32) {
        {
            let _guard = FIXED.then(|| lock(&LOCK));
            CLOSED.set(1);
        }
        CHANGED.notify_all();
    }

    fn run<const FIXED: bool>() {
        threads([worker, close::<FIXED>]);
    }
    subject!(close_unlocked, close_unlocked_fixed);
}

/// A thread waits for a notification, and for no condition.
///
/// **Fails**: a lost wake-up, where the notification comes first. **Preemptions**: 0. **Twin**: there is a condition.
mod notify_before_wait {
    use crate::guest::{lock, subject, threads, wait};
    use std::sync::{Condvar, Mutex};

    static NOTIFIED: Mutex<bool> = Mutex::new(false);
    static CHANGED: Condvar = Condvar::new();

    fn waiter<const FIXED: bool>(_: u32) {
        let mut notified = lock(&NOTIFIED);
        if FIXED {
            while !*notified {
                notified = wait(&CHANGED, notified);
            }
        } else {
            drop(wait(&CHANGED, notified));
        }
    }

    fn notifier(_: u32) {
        *lock(&NOTIFIED) = true;
        CHANGED.notify_one();
    }

    fn run<const FIXED: bool>() {
        threads([waiter::<FIXED>, notifier]);
    }
    subject!(notify_before_wait, notify_before_wait_fixed);
}

/// Stolen wake-up: a consumer that was woken does not look again, `if` for `while`. Two consumers, and two producers of an item each.
///
/// **Fails**: an assertion that there is an item, where the other consumer took it before the first one had the lock again. **Preemptions**: 0.
/// **Twin**: `while`.
mod stolen_wakeup {
    use crate::guest::{check, lock, subject, threads, wait};
    use std::sync::{Condvar, Mutex};

    static ITEMS: Mutex<u32> = Mutex::new(0);
    static FILLED: Condvar = Condvar::new();

    fn consumer<const FIXED: bool>(_: u32) {
        let mut items = lock(&ITEMS);
        if *items == 0 {
            items = wait(&FILLED, items);
        }
        while FIXED && *items == 0 {
            items = wait(&FILLED, items);
        }
        check(*items > 0);
        *items -= 1;
    }

    fn producer(_: u32) {
        *lock(&ITEMS) += 1;
        FILLED.notify_one();
    }

    fn run<const FIXED: bool>() {
        threads([consumer::<FIXED>, consumer::<FIXED>, producer, producer]);
    }
    subject!(stolen_wakeup, stolen_wakeup_fixed);
}

/// A bounded buffer, of one item, with one condition variable for those who wait for an item and those who wait for room.
///
/// **Fails**: a deadlock, where a notification wakes one that waits for the same as who notified. **Preemptions**: 0. **Twin**: notifies
/// all.
mod bounded_buffer {
    use crate::guest::{lock, subject, threads, wait};
    use std::sync::{Condvar, Mutex};

    static FULL: Mutex<bool> = Mutex::new(false);
    static CHANGED: Condvar = Condvar::new();

    fn turn<const FIXED: bool>(full: bool) {
        let mut state = lock(&FULL);
        while *state != full {
            state = wait(&CHANGED, state);
        }
        *state = !full;
        match FIXED {
            true => CHANGED.notify_all(),
            false => CHANGED.notify_one(),
        }
    }

    fn consumer<const FIXED: bool>(_: u32) {
        turn::<FIXED>(true);
    }

    fn producer<const FIXED: bool>(_: u32) {
        turn::<FIXED>(false);
    }

    fn run<const FIXED: bool>() {
        threads([
            consumer::<FIXED>,
            consumer::<FIXED>,
            producer::<FIXED>,
            producer::<FIXED>,
        ]);
    }
    subject!(bounded_buffer, bounded_buffer_fixed);
}

/// A wait group to which each of `n` threads adds itself, as Go's vet warns of.
///
/// **Fails**: an assertion that all are done when the wait is over, where it began before a thread had added itself. **Preemptions**: 0. **Twin**:
/// they are added before they are created.
mod wait_group {
    use crate::guest::{check, crowds, lock, subject, wait, words};
    use std::sync::{Condvar, Mutex};

    words!(DONE = 0, EXPECTED = 0);
    static RUNNING: Mutex<u32> = Mutex::new(0);
    static ZERO: Condvar = Condvar::new();

    fn worker<const FIXED: bool>(_: u32) {
        if !FIXED {
            *lock(&RUNNING) += 1;
        }
        DONE.add(1);
        let mut running = lock(&RUNNING);
        *running -= 1;
        if *running == 0 {
            ZERO.notify_all();
        }
    }

    /// Its number is that of the workers before it.
    fn waiter(workers: u32) {
        let mut running = lock(&RUNNING);
        while *running > 0 {
            running = wait(&ZERO, running);
        }
        check(DONE.get() == workers);
    }

    fn run<const FIXED: bool>(workers: u32) {
        if FIXED {
            *lock(&RUNNING) = workers;
        }
        crowds((workers, worker::<FIXED>), (1, waiter));
    }
    subject!(wait_group, wait_group_fixed, 2);
}

/// A notification is saved where nobody waits, as a counter of those who wait says; the condition is changed without the lock.
///
/// **Fails**: a deadlock, where a thread has seen that it has to wait and has not counted itself: nobody ever notifies. **Preemptions**: 1. **Twin**: counts
/// itself before it looks.
mod skipped_notify {
    use crate::guest::{lock, subject, threads, wait, words};
    use std::sync::{Condvar, Mutex};

    words!(READY = 0, WAITERS = 0);
    static LOCK: Mutex<()> = Mutex::new(());
    static CHANGED: Condvar = Condvar::new();

    fn waiter<const FIXED: bool>(_: u32) {
        let mut guard = lock(&LOCK);
        if FIXED {
            WAITERS.add(1);
        }
        while READY.get() == 0 {
            if !FIXED {
                WAITERS.add(1);
            }
            guard = wait(&CHANGED, guard);
        }
    }

    fn notifier(_: u32) {
        READY.set(1);
        if WAITERS.get() > 0 {
            let _guard = lock(&LOCK);
            CHANGED.notify_all();
        }
    }

    fn run<const FIXED: bool>() {
        threads([waiter::<FIXED>, notifier]);
    }
    subject!(skipped_notify, skipped_notify_fixed);
}

/// An event that is reset after what it stood for was taken.
///
/// **Fails**: a lost wake-up, where an item comes between taking and resetting. **Preemptions**: 1. **Twin**: resets before it takes.
mod event_reset {
    use crate::guest::{lock, subject, threads, wait, words};
    use std::sync::{Condvar, Mutex};

    const EACH: u32 = 1;

    words!(ITEMS = 0);
    static EVENT: Mutex<bool> = Mutex::new(false);
    static SET: Condvar = Condvar::new();

    fn consumer<const FIXED: bool>(_: u32) {
        let mut taken = 0;
        while taken < 2 * EACH {
            let mut event = lock(&EVENT);
            while !*event {
                event = wait(&SET, event);
            }
            if FIXED {
                *event = false;
            }
            drop(event);
            taken += ITEMS.swap(0);
            if !FIXED {
                *lock(&EVENT) = false;
            }
        }
    }

    fn producer(_: u32) {
        ITEMS.add(EACH);
        *lock(&EVENT) = true;
        SET.notify_one();
    }

    fn run<const FIXED: bool>() {
        threads([consumer::<FIXED>, producer, producer]);
    }
    subject!(event_reset, event_reset_fixed);
}
