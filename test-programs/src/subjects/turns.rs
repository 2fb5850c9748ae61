//! Bugs that are in who has its turn when: everything happens under one lock, and the order of the critical sections decides.

/// CS/account of SCTBench: one thread pays in, one pays out, and one compares the balance with what it has to be when both have.
///
/// **Fails**: an assertion, for that expects the deposit to be taken off. It is looked at only where the comparing thread comes last.
/// **Preemptions**: 0. **Twin**: expects the deposit to be added.
mod account {
    use crate::guest::{check, lock, subject, threads, words};
    use std::sync::Mutex;

    const BEFORE: u32 = 10;
    const DEPOSIT: u32 = 2;
    const WITHDRAWAL: u32 = 3;

    words!(BALANCE = BEFORE, DEPOSITED = 0, WITHDRAWN = 0);
    static LOCK: Mutex<()> = Mutex::new(());

    fn deposit(_: u32) {
        let _guard = lock(&LOCK);
        BALANCE.set(BALANCE.get() + DEPOSIT);
        DEPOSITED.set(1);
    }

    fn withdraw(_: u32) {
        let _guard = lock(&LOCK);
        BALANCE.set(BALANCE.get() - WITHDRAWAL);
        WITHDRAWN.set(1);
    }

    fn compare<const FIXED: bool>(_: u32) {
        let _guard = lock(&LOCK);
        if DEPOSITED.get() == 1 && WITHDRAWN.get() == 1 {
            let deposited = if FIXED {
                BEFORE + DEPOSIT
            } else {
                BEFORE - DEPOSIT
            };
            check(BALANCE.get() == deposited - WITHDRAWAL);
        }
    }

    fn run<const FIXED: bool>() {
        threads([compare::<FIXED>, deposit, withdraw]);
    }
    subject!(account, account_fixed);
}

/// CS/lazy01 of SCTBench: two threads add 1 and 2 to a number, a third looks whether it is 3.
///
/// **Fails**: an assertion that it never is, where the third comes last. **Preemptions**: 0. **Twin**: it may be 3, not more.
mod lazy01 {
    use crate::guest::{check, lock, subject, threads, words};
    use std::sync::Mutex;

    words!(DATA = 0);
    static LOCK: Mutex<()> = Mutex::new(());

    fn one(_: u32) {
        let _guard = lock(&LOCK);
        DATA.set(DATA.get() + 1);
    }

    fn two(_: u32) {
        let _guard = lock(&LOCK);
        DATA.set(DATA.get() + 2);
    }

    fn look<const FIXED: bool>(_: u32) {
        let _guard = lock(&LOCK);
        check(DATA.get() < if FIXED { 4 } else { 3 });
    }

    fn run<const FIXED: bool>() {
        threads([one, two, look::<FIXED>]);
    }
    subject!(lazy01, lazy01_fixed);
}

/// CS/token_ring of SCTBench: three threads hand a number round a ring, a fourth compares the three places when all have had a turn.
///
/// **Fails**: an assertion, where they had their turns in another order than that of the ring. **Preemptions**: 0. **Twin**: a thread
/// hands on only what was handed to it.
mod token_ring {
    use crate::guest::{array, check, lock, subject, threads};
    use std::sync::Mutex;

    array!(PLACES: 3);
    array!(DONE: 3);
    static LOCK: Mutex<()> = Mutex::new(());

    fn first(_: u32) {
        let _guard = lock(&LOCK);
        PLACES[0].set(PLACES[2].get() + 1);
        DONE[0].set(1);
    }

    fn next<const FIXED: bool, const PLACE: usize>(_: u32) {
        let _guard = lock(&LOCK);
        if !FIXED || DONE[PLACE - 1].get() == 1 {
            PLACES[PLACE].set(PLACES[PLACE - 1].get());
            DONE[PLACE].set(1);
        }
    }

    fn compare(_: u32) {
        let _guard = lock(&LOCK);
        if DONE.iter().all(|done| done.get() == 1) {
            let first = PLACES[0].get();
            check(PLACES[1..].iter().all(|place| place.get() == first));
        }
    }

    fn run<const FIXED: bool>() {
        threads([first, next::<FIXED, 1>, next::<FIXED, 2>, compare]);
    }
    subject!(token_ring, token_ring_fixed);
}

/// CS/circular_buffer of SCTBench: a writer and a reader take turns at a buffer, as two flags say, and each tries so many times.
///
/// **Fails**: an assertion that the reader's nth try gets the nth number, where it tried before it was its turn. **Preemptions**: 1.
/// **Twin**: what is counted are turns, not tries.
mod circular_buffer {
    use crate::guest::{array, check, lock, subject, threads, words};
    use std::sync::Mutex;

    const TRIES: u32 = 3;

    array!(BUFFER: 4);
    words!(FIRST = 0, NEXT = 0, WRITE = 1, READ = 0);
    static LOCK: Mutex<()> = Mutex::new(());

    fn writer<const FIXED: bool>(_: u32) {
        let mut number = 0;
        for _ in 0..TRIES {
            let _guard = lock(&LOCK);
            let turn = WRITE.get() == 1;
            if turn {
                BUFFER[NEXT.add(1) as usize % BUFFER.len()].set(number);
                WRITE.set(0);
                READ.set(1);
            }
            number += u32::from(turn || !FIXED);
        }
    }

    fn reader<const FIXED: bool>(_: u32) {
        let mut number = 0;
        for _ in 0..TRIES {
            let _guard = lock(&LOCK);
            let turn = READ.get() == 1;
            if turn {
                check(BUFFER[FIRST.add(1) as usize % BUFFER.len()].get() == number);
                READ.set(0);
                WRITE.set(1);
            }
            number += u32::from(turn || !FIXED);
        }
    }

    fn run<const FIXED: bool>() {
        threads([writer::<FIXED>, reader::<FIXED>]);
    }
    subject!(circular_buffer, circular_buffer_fixed);
}

/// CS/queue of SCTBench: as [`circular_buffer`], with a queue beside a list of what was put into it; the first element without waiting for a
/// turn.
///
/// **Fails**: an assertion that what the reader's nth try takes is the nth of the list. **Preemptions**: 1. **Twin**: what is counted
/// are turns, not tries.
mod queue {
    use crate::guest::{array, check, lock, subject, threads, words};
    use std::sync::Mutex;

    const TRIES: usize = 3;

    array!(QUEUE: 4);
    array!(LIST: 4);
    words!(FIRST = 0, NEXT = 0, PUT = 1, TAKE = 0);
    static LOCK: Mutex<()> = Mutex::new(());

    fn put(nth: usize) {
        let value = nth as u32 + 1;
        QUEUE[NEXT.add(1) as usize].set(value);
        LIST[nth].set(value);
    }

    fn writer<const FIXED: bool>(_: u32) {
        {
            let _guard = lock(&LOCK);
            put(0);
        }
        let mut nth = 1;
        for _ in 0..TRIES {
            let _guard = lock(&LOCK);
            let turn = PUT.get() == 1;
            if turn {
                put(nth);
                PUT.set(0);
                TAKE.set(1);
            }
            nth += usize::from(turn || !FIXED);
        }
    }

    fn reader<const FIXED: bool>(_: u32) {
        let mut nth = 0;
        for _ in 0..TRIES {
            let _guard = lock(&LOCK);
            let turn = TAKE.get() == 1;
            if turn {
                check(QUEUE[FIRST.add(1) as usize].get() == LIST[nth].get());
                TAKE.set(0);
                PUT.set(1);
            }
            nth += usize::from(turn || !FIXED);
        }
    }

    fn run<const FIXED: bool>() {
        threads([writer::<FIXED>, reader::<FIXED>]);
    }
    subject!(queue, queue_fixed);
}

/// CS/stack of SCTBench: one thread pushes so many elements, another pops as many, once a flag says that there is something.
///
/// **Fails**: an assertion that the stack is not empty, for the flag stays. **Preemptions**: 1. **Twin**: looks at the stack, not at
/// the flag.
mod stack {
    use crate::guest::{check, lock, subject, threads, words};
    use std::sync::Mutex;

    const ELEMENTS: u32 = 5;

    words!(TOP = 0, FILLED = 0);
    static LOCK: Mutex<()> = Mutex::new(());

    fn push(_: u32) {
        for _ in 0..ELEMENTS {
            let _guard = lock(&LOCK);
            TOP.set(TOP.get() + 1);
            FILLED.set(1);
        }
    }

    fn pop<const FIXED: bool>(_: u32) {
        for _ in 0..ELEMENTS {
            let _guard = lock(&LOCK);
            let filled = if FIXED { &TOP } else { &FILLED };
            if filled.get() != 0 {
                let top = TOP.get();
                check(top > 0);
                TOP.set(top - 1);
            }
        }
    }

    fn run<const FIXED: bool>() {
        threads([push, pop::<FIXED>]);
    }
    subject!(stack, stack_fixed);
}
