//! Steps that are one in the mind of who wrote them, and several in the program.

/// Lost update: each of `n` threads reads a number, and writes one more.
///
/// **Fails**: an assertion on the sum. **Preemptions**: 1. **Twin**: `fetch_add`.
mod lost_update {
    use crate::guest::{check, crowd, subject, words};

    words!(SUM = 0);

    fn increment<const FIXED: bool>(_: u32) {
        match FIXED {
            true => _ = SUM.add(1),
            false => SUM.set(SUM.get() + 1),
        }
    }

    fn run<const FIXED: bool>(threads: u32) {
        crowd(threads, increment::<FIXED>);
        check(SUM.get() == threads);
    }
    subject!(lost_update, lost_update_fixed, 2);
}

/// Check, then act: threads that find a slot free take it. Among the bugs of Qin et al. so does Parity's `generate_seal`, which has to happen once.
///
/// **Fails**: an assertion that one has it. **Preemptions**: 1. **Twin**: a compare-exchange.
mod check_then_act {
    use crate::guest::{check, crowd, subject, words};

    words!(SLOT = 0, OWNERS = 0);

    fn claim<const FIXED: bool>(number: u32) {
        let own = number + 1;
        let claimed = match FIXED {
            true => SLOT.cas(0, own),
            false => {
                let free = SLOT.get() == 0;
                if free {
                    SLOT.set(own);
                }
                free
            }
        };
        if claimed {
            check(OWNERS.add(1) == 0);
        }
    }

    fn run<const FIXED: bool>(threads: u32) {
        crowd(threads, claim::<FIXED>);
    }
    subject!(check_then_act, check_then_act_fixed, 2);
}

/// Two-phase lock gap: a number is read under a lock, and written under it later.
///
/// **Fails**: an assertion on the sum. **Preemptions**: 1. **Twin**: one critical section.
mod two_phase_gap {
    use crate::guest::{check, crowd, lock, subject, words};
    use std::sync::Mutex;

    words!(SUM = 0);
    static LOCK: Mutex<()> = Mutex::new(());

    fn increment<const FIXED: bool>(_: u32) {
        let mut guard = lock(&LOCK);
        let sum = SUM.get();
        if !FIXED {
            drop(guard);
            guard = lock(&LOCK);
        }
        SUM.set(sum + 1);
        drop(guard);
    }

    fn run<const FIXED: bool>(threads: u32) {
        crowd(threads, increment::<FIXED>);
        check(SUM.get() == threads);
    }
    subject!(two_phase_gap, two_phase_gap_fixed, 2);
}

/// Atomicity violation between two critical sections, after Qin et al.: the first finds that there is enough, the second takes it.
///
/// **Fails**: an assertion that there is. **Preemptions**: 1. **Twin**: looks again in the second.
mod overdraw {
    use crate::guest::{check, crowd, lock, subject, words};
    use std::sync::Mutex;

    words!(BALANCE = 3);
    static LOCK: Mutex<()> = Mutex::new(());

    fn enough() -> bool {
        let _guard = lock(&LOCK);
        BALANCE.get() >= 2
    }

    fn withdraw<const FIXED: bool>(_: u32) {
        if !enough() {
            return;
        }
        let _guard = lock(&LOCK);
        let balance = BALANCE.get();
        if FIXED && balance < 2 {
            return;
        }
        check(balance >= 2);
        BALANCE.set(balance - 2);
    }

    fn run<const FIXED: bool>() {
        crowd(2, withdraw::<FIXED>);
    }
    subject!(overdraw, overdraw_fixed);
}

/// A barrier counts under a lock who has come, and each looks outside of it whether it was the last.
///
/// **Fails**: an assertion that one was. **Preemptions**: 1. **Twin**: keeps what it counted.
mod barrier_check {
    use crate::guest::{check, crowd, lock, subject, words};
    use std::sync::Mutex;

    const ALL: u32 = 2;

    words!(ARRIVED = 0, LEADERS = 0);
    static LOCK: Mutex<()> = Mutex::new(());

    fn arrive<const FIXED: bool>(_: u32) {
        let counted = {
            let _guard = lock(&LOCK);
            let arrived = ARRIVED.get() + 1;
            ARRIVED.set(arrived);
            arrived
        };
        let arrived = if FIXED { counted } else { ARRIVED.get() };
        if arrived == ALL {
            check(LEADERS.add(1) == 0);
        }
    }

    fn run<const FIXED: bool>() {
        crowd(ALL, arrive::<FIXED>);
    }
    subject!(barrier_check, barrier_check_fixed);
}

/// A reference count as in an `Arc` made by hand: who finds that it has the last reference frees, who does not takes it off the count.
///
/// **Fails**: an assertion that somebody freed, where both found that there was another. **Preemptions**: 1. **Twin**: takes it off first, and looks
/// at what it was.
mod refcount {
    use crate::guest::{check, crowd, subject, words};

    const REFERENCES: u32 = 2;

    words!(COUNT = REFERENCES, FREED = 0);

    fn release<const FIXED: bool>(_: u32) {
        let last = match FIXED {
            true => COUNT.sub(1) == 1,
            false => {
                let last = COUNT.get() == 1;
                if !last {
                    COUNT.sub(1);
                }
                last
            }
        };
        if last {
            check(FREED.add(1) == 0);
        }
    }

    fn run<const FIXED: bool>() {
        crowd(REFERENCES, release::<FIXED>);
        check(FREED.get() == 1);
    }
    subject!(refcount, refcount_fixed);
}

/// Three-state observation: one thread takes a word through the states 1 to `n`, another looks `n` times.
///
/// **Fails**: an assertion that it does not see each of them in turn. **Preemptions**: 2(n - 1), as many as one likes. **Twin**: states
/// change, and are looked at, under a lock that both keep.
mod states {
    use crate::guest::{check, lock, subject, words};
    use std::sync::Mutex;

    words!(STATE = 0);
    static LOCK: Mutex<()> = Mutex::new(());

    fn change<const FIXED: bool>(states: u32) {
        let _guard = FIXED.then(|| lock(&LOCK));
        for state in 1..=states {
            STATE.set(state);
        }
    }

    fn look<const FIXED: bool>(states: u32) {
        let _guard = FIXED.then(|| lock(&LOCK));
        for state in 1..=states {
            if STATE.get() != state {
                return;
            }
        }
        check(false);
    }

    fn run<const FIXED: bool>(states: u32) {
        let change = crate::guest::spawn(change::<FIXED>, states);
        let look = crate::guest::spawn(look::<FIXED>, states);
        change.join();
        look.join();
    }
    subject!(states, states_fixed, 2);
}
