//! Data that is found before it is there, or after it has gone.

/// Order violation: a thread is created before what it uses is initialised.
///
/// **Fails**: an assertion that it is. **Preemptions**: 1. **Twin**: is created afterwards.
mod order_violation {
    use crate::guest::{check, spawn, subject, words};

    words!(CONFIGURATION = 0);

    fn user(_: u32) {
        check(CONFIGURATION.get() != 0);
    }

    fn run<const FIXED: bool>() {
        if FIXED {
            CONFIGURATION.set(1);
        }
        let user = spawn(user, 0);
        if !FIXED {
            CONFIGURATION.set(1);
        }
        user.join();
    }
    subject!(order_violation, order_violation_fixed);
}

/// A consumer takes it for granted that the producer, created before it, has run.
///
/// **Fails**: an assertion that there is an item. **Preemptions**: 0. **Twin**: waits for it.
mod consumer_first {
    use crate::guest::{check, lock, subject, threads, wait, words};
    use std::sync::{Condvar, Mutex};

    words!(ITEM = 0);
    static LOCK: Mutex<()> = Mutex::new(());
    static FILLED: Condvar = Condvar::new();

    fn producer(_: u32) {
        let _guard = lock(&LOCK);
        ITEM.set(1);
        FILLED.notify_one();
    }

    fn consumer<const FIXED: bool>(_: u32) {
        let mut guard = lock(&LOCK);
        while FIXED && ITEM.get() == 0 {
            guard = wait(&FILLED, guard);
        }
        check(ITEM.swap(0) == 1);
        drop(guard);
    }

    fn run<const FIXED: bool>() {
        threads([producer, consumer::<FIXED>]);
    }
    subject!(consumer_first, consumer_first_fixed);
}

/// Double-checked initialisation that says that it is done before it is.
///
/// **Fails**: an assertion on the data. **Preemptions**: 1. **Twin**: says so afterwards.
mod double_checked {
    use crate::guest::{check, crowd, lock, subject, words};
    use std::sync::Mutex;

    words!(INITIALISED = 0, DATA = 0);
    static LOCK: Mutex<()> = Mutex::new(());

    fn get<const FIXED: bool>(_: u32) {
        if INITIALISED.get() == 0 {
            let _guard = lock(&LOCK);
            if INITIALISED.get() == 0 {
                let (first, second) = match FIXED {
                    true => (&DATA, &INITIALISED),
                    false => (&INITIALISED, &DATA),
                };
                first.set(1);
                second.set(1);
            }
        }
        check(DATA.get() == 1);
    }

    fn run<const FIXED: bool>() {
        crowd(2, get::<FIXED>);
    }
    subject!(double_checked, double_checked_fixed);
}

/// A seqlock whose reader looks at the sequence number before it reads, and not afterwards.
///
/// **Fails**: an assertion that what it read belongs together. **Preemptions**: 1. **Twin**: looks afterwards, and discards.
mod seqlock {
    use crate::guest::{check, subject, threads, words};

    words!(SEQUENCE = 0, FIRST = 0, SECOND = 0);

    fn write(_: u32) {
        SEQUENCE.set(1);
        FIRST.set(1);
        SECOND.set(1);
        SEQUENCE.set(2);
    }

    fn read<const FIXED: bool>(_: u32) {
        let before = SEQUENCE.get();
        if before % 2 == 1 {
            return;
        }
        let (first, second) = (FIRST.get(), SECOND.get());
        if FIXED && SEQUENCE.get() != before {
            return;
        }
        check(first == second);
    }

    fn run<const FIXED: bool>() {
        threads([write, read::<FIXED>]);
    }
    subject!(seqlock, seqlock_fixed);
}

/// Use after unpublish: one thread takes a pointer back and frees what it points to, another has read it.
///
/// **Fails**: an assertion that what is used has not been freed. **Preemptions**: 1. **Twin**: a hazard pointer (Michael, 2004); who frees looks at
/// it, and leaves what is used.
mod unpublish {
    use crate::guest::{check, subject, threads, words};

    words!(POINTER = 1, HAZARD = 0, FREED = 0);

    fn user<const FIXED: bool>(_: u32) {
        let pointer = POINTER.get();
        if pointer == 0 {
            return;
        }
        if FIXED {
            HAZARD.set(pointer);
            if POINTER.get() != pointer {
                return;
            }
        }
        check(FREED.get() == 0);
        if FIXED {
            HAZARD.set(0);
        }
    }

    fn retire<const FIXED: bool>(_: u32) {
        POINTER.set(0);
        if !FIXED || HAZARD.get() == 0 {
            FREED.set(1);
        }
    }

    fn run<const FIXED: bool>() {
        threads([user::<FIXED>, retire::<FIXED>]);
    }
    subject!(unpublish, unpublish_fixed);
}

/// A ring of one producer and one consumer, `n` items, whose end is moved before the item is written.
///
/// **Fails**: an assertion on an item. **Preemptions**: 1. **Twin**: writes the item first.
mod early_publish {
    use crate::guest::{array, check, spawn, subject, words};

    array!(ITEMS: 16);
    words!(END = 0);

    fn producer<const FIXED: bool>(items: u32) {
        for item in 0..items {
            if FIXED {
                ITEMS[item as usize].set(item + 1);
            }
            END.set(item + 1);
            if !FIXED {
                ITEMS[item as usize].set(item + 1);
            }
        }
    }

    /// Takes what is there, and does not wait for more.
    fn consumer(items: u32) {
        for item in 0..items {
            if END.get() > item {
                check(ITEMS[item as usize].get() == item + 1);
            }
        }
    }

    fn run<const FIXED: bool>(items: u32) {
        let producer = spawn(producer::<FIXED>, items);
        let consumer = spawn(consumer, items);
        producer.join();
        consumer.join();
    }
    subject!(early_publish, early_publish_fixed, 2);
}
