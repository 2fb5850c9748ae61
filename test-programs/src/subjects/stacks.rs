//! Stacks without locks whose nodes come back.

/// ABA of Treiber's stack (1986): a thread has read the top and the one below it, and meanwhile another pops both and pushes the first
/// back. Then the top is what it was, and below it is what is not in the stack any more.
///
/// **Fails**: an assertion that what is popped belongs to nobody. **Preemptions**: 1. **Twin**: the top has a number that changes with every exchange.
mod treiber_aba {
    use crate::guest::{array, check, subject, threads, words};

    /// The number of a node is in the low byte, 0 is the end; what is above counts.
    const NODE: u32 = 0xff;
    const EXCHANGE: u32 = 0x100;

    array!(BELOW: 3);
    array!(OWNED: 3);
    words!(TOP = 1);

    fn exchange<const FIXED: bool>(top: u32, node: u32) -> bool {
        match FIXED {
            true => TOP.cas(top, ((top & !NODE) + EXCHANGE) | node),
            false => TOP.cas(top, node),
        }
    }

    fn pop<const FIXED: bool>() -> Option<u32> {
        loop {
            let top = TOP.get();
            let node = top & NODE;
            if node == 0 {
                return None;
            }
            if exchange::<FIXED>(top, BELOW[node as usize].get()) {
                check(OWNED[node as usize].swap(1) == 0);
                return Some(node);
            }
        }
    }

    fn push<const FIXED: bool>(node: u32) {
        OWNED[node as usize].set(0);
        loop {
            let top = TOP.get();
            BELOW[node as usize].set(top & NODE);
            if exchange::<FIXED>(top, node) {
                return;
            }
        }
    }

    fn pops<const FIXED: bool>(_: u32) {
        pop::<FIXED>();
        pop::<FIXED>();
    }

    fn pushes_back<const FIXED: bool>(_: u32) {
        let first = pop::<FIXED>();
        pop::<FIXED>();
        if let Some(node) = first {
            push::<FIXED>(node);
        }
    }

    fn run<const FIXED: bool>() {
        // Two nodes, the first above the second.
        BELOW[1].set(2);
        threads([pops::<FIXED>, pushes_back::<FIXED>]);
    }
    subject!(treiber_aba, treiber_aba_fixed);
}

/// SafeStack, which Dmitry Vyukov published as a stack that has no ABA, and that has it: a pop takes the link of the top out, exchanges the top, and puts
/// the link back where that failed. `n` threads and three nodes; each thread pops a node and pushes it back, twice.
///
/// **Fails**: an assertion that a node belongs to one thread. **Preemptions**: 5, with three threads. **Twin**: pops and pushes under a lock.
mod safe_stack {
    use crate::guest::{array, check, crowd, lock, subject, words, yield_now};
    use std::sync::Mutex;

    const NODES: u32 = 3;
    const ROUNDS: u32 = 2;
    /// No node.
    const NONE: u32 = u32::MAX;

    array!(LINKS: NODES as usize);
    array!(OWNERS: NODES as usize);
    words!(TOP = 0, COUNT = NODES);
    static LOCK: Mutex<()> = Mutex::new(());

    fn pop() -> Option<u32> {
        while COUNT.get() > 1 {
            let top = TOP.get();
            let link = LINKS[top as usize].swap(NONE);
            if link == NONE {
                // Somebody else has taken it out, and is to go on.
                yield_now();
            } else if TOP.cas(top, link) {
                COUNT.sub(1);
                return Some(top);
            } else {
                LINKS[top as usize].swap(link);
            }
        }
        None
    }

    fn push(node: u32) {
        loop {
            let top = TOP.get();
            LINKS[node as usize].set(top);
            if TOP.cas(top, node) {
                break;
            }
        }
        COUNT.add(1);
    }

    fn round<const FIXED: bool>(number: u32) {
        for _ in 0..ROUNDS {
            let node = loop {
                let popped = {
                    let _guard = FIXED.then(|| lock(&LOCK));
                    pop()
                };
                match popped {
                    Some(node) => break node,
                    None => yield_now(),
                }
            };
            let owner = &OWNERS[node as usize];
            owner.set(number);
            check(owner.get() == number);
            let _guard = FIXED.then(|| lock(&LOCK));
            push(node);
        }
    }

    fn run<const FIXED: bool>(threads: u32) {
        for node in 0..NODES {
            LINKS[node as usize].set(if node + 1 < NODES { node + 1 } else { NONE });
        }
        crowd(threads, round::<FIXED>);
    }
    subject!(safe_stack, safe_stack_fixed, 3);
}
