//! Work-stealing queues: the owner takes from one end, thieves from the other. The first four are told after the Chess examples
//! in SCTBench. In all of them an assertion fails when an item is taken twice.

use crate::guest::{array, check};

/// Items of a queue.
const ITEMS: u32 = 2;

array!(TAKEN: ITEMS as usize);

fn take(item: u32) {
    check(TAKEN[item as usize].swap(1) == 0);
}

/// Chess/WorkStealQueue: Cilk's THE protocol (Frigo, Leiserson, Randall, PLDI 1998). Only who comes to the last item takes the lock.
///
/// **Fails** where the thief looks at the tail before it moves the head. **Preemptions**: 2: the owner has to be left with items, and the thief
/// between the two. **Twin**: moves the head, and looks then.
mod work_steal_queue {
    use super::{ITEMS, take};
    use crate::guest::{lock, subject, threads, words};
    use std::sync::Mutex;

    words!(HEAD = 0, TAIL = 0);
    static LOCK: Mutex<()> = Mutex::new(());

    fn pop() {
        let tail = TAIL.get() - 1;
        TAIL.set(tail);
        if HEAD.get() <= tail {
            return take(tail);
        }
        let _guard = lock(&LOCK);
        match HEAD.get() <= tail {
            true => take(tail),
            false => TAIL.set(tail + 1),
        }
    }

    fn steal<const FIXED: bool>() {
        let _guard = lock(&LOCK);
        let head = HEAD.get();
        if FIXED {
            HEAD.set(head + 1);
        }
        let found = head < TAIL.get();
        if found {
            take(head);
        }
        match FIXED {
            true if !found => HEAD.set(head),
            false if found => HEAD.set(head + 1),
            _ => {}
        }
    }

    fn owner(_: u32) {
        for item in 0..ITEMS {
            TAIL.set(item + 1);
        }
        for _ in 0..ITEMS {
            pop();
        }
    }

    fn thief<const FIXED: bool>(_: u32) {
        for _ in 0..ITEMS {
            steal::<FIXED>();
        }
    }

    fn run<const FIXED: bool>() {
        threads([owner, thief::<FIXED>]);
    }
    subject!(work_steal_queue, work_steal_queue_fixed);
}

/// Chess/InterlockedWorkStealQueue: without a lock, by atomic exchanges; two thieves.
///
/// **Fails** where a thief reads and writes the head in two steps. **Preemptions**: 1. **Twin**: a compare-exchange.
mod interlocked_work_steal_queue {
    use super::{ITEMS, take};
    use crate::guest::{subject, threads, words};

    words!(HEAD = 0, TAIL = 0);

    fn pop() {
        let tail = TAIL.get() - 1;
        TAIL.set(tail);
        let head = HEAD.get();
        if head < tail {
            return take(tail);
        }
        if head == tail && HEAD.cas(head, head + 1) {
            take(tail);
        }
        TAIL.set(tail + 1);
    }

    fn thief<const FIXED: bool>(_: u32) {
        let head = HEAD.get();
        if head >= TAIL.get() {
            return;
        }
        let claimed = match FIXED {
            true => HEAD.cas(head, head + 1),
            false => {
                HEAD.set(head + 1);
                true
            }
        };
        if claimed {
            take(head);
        }
    }

    fn owner(_: u32) {
        for item in 0..ITEMS {
            TAIL.set(item + 1);
        }
        for _ in 0..ITEMS {
            pop();
        }
    }

    fn run<const FIXED: bool>() {
        threads([owner, thief::<FIXED>, thief::<FIXED>]);
    }
    subject!(
        interlocked_work_steal_queue,
        interlocked_work_steal_queue_fixed
    );
}

/// Chess/StateWorkStealQueue: each item has a state, and ends of the queue are hints only.
///
/// **Fails** where the state is read and written in two steps. **Preemptions**: 1. **Twin**: an exchange.
mod state_work_steal_queue {
    use super::{ITEMS, take};
    use crate::guest::{array, subject, threads};

    const READY: u32 = 0;
    const GONE: u32 = 1;

    array!(STATES: ITEMS as usize);

    fn claim<const FIXED: bool>(item: u32) {
        let state = &STATES[item as usize];
        let claimed = match FIXED {
            true => state.swap(GONE) == READY,
            false => {
                let ready = state.get() == READY;
                if ready {
                    state.set(GONE);
                }
                ready
            }
        };
        if claimed {
            take(item);
        }
    }

    fn owner<const FIXED: bool>(_: u32) {
        (0..ITEMS).rev().for_each(claim::<FIXED>);
    }

    fn thief<const FIXED: bool>(_: u32) {
        (0..ITEMS).for_each(claim::<FIXED>);
    }

    fn run<const FIXED: bool>() {
        threads([owner::<FIXED>, thief::<FIXED>]);
    }
    subject!(state_work_steal_queue, state_work_steal_queue_fixed);
}

/// Chess/InterlockedWorkStealQueueWithState: the state is changed by an exchange, and an item is busy while it is taken.
///
/// **Fails** where a busy item is taken as well, for only those that are gone are left alone. **Preemptions**: 1. **Twin**: takes what is ready,
/// by a compare-exchange.
mod interlocked_state_queue {
    use super::{ITEMS, take};
    use crate::guest::{array, subject, threads};

    const READY: u32 = 0;
    const BUSY: u32 = 1;
    const GONE: u32 = 2;

    array!(STATES: ITEMS as usize);

    fn claim<const FIXED: bool>(item: u32) {
        let state = &STATES[item as usize];
        let claimed = match FIXED {
            true => state.cas(READY, BUSY),
            false => state.swap(BUSY) != GONE,
        };
        if claimed {
            take(item);
        }
        if claimed || !FIXED {
            state.set(GONE);
        }
    }

    fn owner<const FIXED: bool>(_: u32) {
        (0..ITEMS).rev().for_each(claim::<FIXED>);
    }

    fn thief<const FIXED: bool>(_: u32) {
        (0..ITEMS).for_each(claim::<FIXED>);
    }

    fn run<const FIXED: bool>() {
        threads([owner::<FIXED>, thief::<FIXED>]);
    }
    subject!(interlocked_state_queue, interlocked_state_queue_fixed);
}

/// The last element of a Chase-Lev deque (SPAA 2005), of which owner and thief have to decide who has it.
///
/// **Fails** where the owner takes it without asking. **Preemptions**: 1. **Twin**: a compare-exchange of the top.
mod work_steal_last {
    use super::take;
    use crate::guest::{subject, threads, words};

    words!(TOP = 0, BOTTOM = 1);

    fn owner<const FIXED: bool>(_: u32) {
        BOTTOM.set(0);
        let last = TOP.get() == 0;
        if last && !FIXED {
            return take(0);
        }
        if last && TOP.cas(0, 1) {
            take(0);
        }
        BOTTOM.set(1);
    }

    fn thief(_: u32) {
        if TOP.get() == 0 && BOTTOM.get() == 1 && TOP.cas(0, 1) {
            take(0);
        }
    }

    fn run<const FIXED: bool>() {
        threads([owner::<FIXED>, thief]);
    }
    subject!(work_steal_last, work_steal_last_fixed);
}
