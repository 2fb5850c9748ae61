//! Mutual exclusion of two threads by shared words, with a step left out or in the wrong place. Threads that cannot enter give up where
//! that is no matter for the bug, so that nobody spins.

/// Peterson's algorithm without the turn: each says that it wants to enter, and waits until the other does not.
///
/// **Fails**: a deadlock, where both have said so. **Preemptions**: 1. **Twin**: the second takes it back, waits, and says so again (Burns and Lamport's
/// one-bit algorithm).
mod peterson_no_turn {
    use crate::guest::{array, check, crowd, subject, words};

    array!(WANTS: 2);
    words!(INSIDE = 0);

    fn enter<const FIXED: bool>(number: u32) {
        let (own, other) = (&WANTS[number as usize], &WANTS[1 - number as usize]);
        own.set(1);
        if FIXED && number == 1 {
            while other.get() == 1 {
                own.set_and_wake(0);
                other.wait_while(1);
                own.set(1);
            }
        } else {
            other.wait_while(1);
        }
        check(INSIDE.add(1) == 0);
        INSIDE.sub(1);
        own.set_and_wake(0);
    }

    fn run<const FIXED: bool>() {
        crowd(2, enter::<FIXED>);
    }
    subject!(peterson_no_turn, peterson_no_turn_fixed);
}

/// Peterson's algorithm, with the turn given away before the wish to enter is said.
///
/// **Fails**: an assertion that one is inside. **Preemptions**: 2. **Twin**: the wish first.
mod peterson_late_flag {
    use crate::guest::{array, check, crowd, subject, words};

    array!(WANTS: 2);
    words!(TURN = 0, INSIDE = 0);

    fn enter<const FIXED: bool>(number: u32) {
        let (own, other) = (&WANTS[number as usize], &WANTS[1 - number as usize]);
        if FIXED {
            own.set(1);
        }
        TURN.set(1 - number);
        if !FIXED {
            own.set(1);
        }
        if other.get() == 0 || TURN.get() == number {
            check(INSIDE.add(1) == 0);
            INSIDE.sub(1);
        }
        own.set(0);
    }

    fn run<const FIXED: bool>() {
        crowd(2, enter::<FIXED>);
    }
    subject!(peterson_late_flag, peterson_late_flag_fixed);
}

/// Dekker's first idea: each looks whether the other wants to enter, and says then that it does.
///
/// **Fails**: an assertion that one is inside. **Preemptions**: 2. **Twin**: says so, and looks then.
mod dekker {
    use crate::guest::{array, check, crowd, subject, words};

    array!(WANTS: 2);
    words!(INSIDE = 0);

    fn enter<const FIXED: bool>(number: u32) {
        let (own, other) = (&WANTS[number as usize], &WANTS[1 - number as usize]);
        if FIXED {
            own.set(1);
        }
        let free = other.get() == 0;
        if free && !FIXED {
            own.set(1);
        }
        if free {
            check(INSIDE.add(1) == 0);
            INSIDE.sub(1);
        }
        own.set(0);
    }

    fn run<const FIXED: bool>() {
        crowd(2, enter::<FIXED>);
    }
    subject!(dekker, dekker_fixed);
}
