//! Partial order sampling (Yuan, Yang, Gu, CAV 2018, section 4): every operation has a random priority from when it is pending until it is carried
//! out, and those that conflict with what was carried out get a new one.
//!
//! **Finds** orders of operations that conflict, whatever else happens beside them: in which order two threads do what has nothing to do
//! with each other costs no luck. A thread can be held back at one operation while another makes many: in one of `k + 1` schedules it lets `k`
//! operations pass with which its own does not conflict, where a walk that chooses anew at each needs one of `2^k`. Any order of
//! operations has a chance in every seed.
//!
//! **Misses**, mostly, what needs a thread to be held back while others make many operations that conflict with its own, for each of these draws
//! its priority anew.
//!
//! **Deviates** from the paper in what operations are: those that others can observe (atomics, waits, notifications), by the bytes that
//! they access, and stretches of plain accesses of random lengths, of which nothing is known and which conflict with nothing. It is
//! fair to threads for which others wait ([`priorities`](super::priorities)).
//!
//! **Cost**: a priority looked up for each runnable thread at each point, and where an operation accessed bytes atomically, its pending operation.

use super::access::Access;
use super::priorities::{Priorities, Turn};
use super::table::Row;
use super::{Point, Scheduler};
use crate::model::Slice;

pub(super) const ROW: Row = Row {
    name: "pos",
    about: "Random priorities of operations, which change with what conflicts",
    parameters: &[],
    repeated: &[],
    make: |seed, _| Box::new(Pos::new(seed)),
};

/// See the module.
#[derive(Clone, Debug)]
struct Pos(Priorities);

impl Pos {
    fn new(seed: u64) -> Pos {
        Pos(Priorities::new(seed))
    }
}

/// Draws the priorities of operations anew that conflict with what was carried out.
pub(super) fn draw_conflicts(priorities: &mut Priorities, point: &Point<'_>, done: Turn) {
    let Some(access) = done.access() else { return };
    for &other in point.runnable {
        let pending = Access::of(&point.threads.pending(other));
        if pending.is_some_and(|pending| pending.conflicts(access)) {
            priorities.draw_again(other);
        }
    }
}

impl Scheduler for Pos {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        let Pos(priorities) = self;
        if let Some(done) = priorities.carried_out(point) {
            draw_conflicts(priorities, point, done);
        }
        let highest = priorities.highest(point, |_| Some(0));
        priorities.turn(point, highest.unwrap_or(point.runnable[0]))
    }

    fn random(&mut self) -> u64 {
        self.0.rng.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sites::SiteId;
    use crate::model::{AtomicKind, Operation, SpawnPath, ThreadId};
    use crate::schedule::{PointKind, Threads};
    use std::collections::BTreeMap;

    /// Threads that store to an address each, over and over.
    #[derive(Debug)]
    struct Stores(Vec<u64>);

    impl Threads for Stores {
        fn pending(&self, thread: ThreadId) -> Operation<'_> {
            Operation::Atomic {
                site: SiteId(0),
                addr: self.0[thread.0 as usize],
                width: 4,
                kind: AtomicKind::Store,
            }
        }

        fn path(&self, _: ThreadId) -> SpawnPath {
            SpawnPath::default()
        }
    }

    /// Lets threads make so many stores each, and says in which order.
    fn order(seed: u64, stores: &Stores, counts: &[u32]) -> Vec<u32> {
        let mut pos = Pos::new(seed);
        let mut left = counts.to_vec();
        let mut order = Vec::new();
        let mut current = None;
        loop {
            let runnable: Vec<ThreadId> = (0..)
                .map(ThreadId)
                .zip(&left)
                .filter(|(_, left)| **left > 0)
                .map(|(thread, _)| thread)
                .collect();
            if runnable.is_empty() {
                return order;
            }
            let here = current.filter(|current| runnable.contains(current));
            let slice = pos.next(&Point {
                kind: match here {
                    Some(_) => PointKind::Sync,
                    None => PointKind::Blocked,
                },
                current: here,
                remaining: 100,
                runnable: &runnable,
                threads: stores,
            });
            left[slice.thread.0 as usize] -= 1;
            order.push(slice.thread.0);
            current = Some(slice.thread);
        }
    }

    /// In how many of 2,000 seeds the first thread's only store comes last, behind so many of the other.
    fn comes_last(stores: &Stores, others: u32) -> usize {
        let last = |seed: &u64| order(*seed, stores, &[1, others]).last() == Some(&0);
        (0..2000).filter(last).count()
    }

    #[test]
    fn a_thread_is_held_back_while_another_does_something_else() {
        // One of 11, which is 182.
        let apart = comes_last(&Stores(vec![0, 64]), 10);
        assert!((130..240).contains(&apart), "{apart}");
        // One of 101.
        let apart = comes_last(&Stores(vec![0, 64]), 100);
        assert!((5..50).contains(&apart), "{apart}");
        // One of 1,024: each store of the other draws it anew, if only a byte is the same.
        for addr in [0, 3] {
            let same = comes_last(&Stores(vec![0, addr]), 10);
            assert!(same < 15, "{same}");
        }
    }

    #[test]
    fn all_orders_of_what_conflicts_occur_as_often() {
        let stores = Stores(vec![0, 0, 0]);
        let mut counts = BTreeMap::new();
        for seed in 0..3000 {
            *counts.entry(order(seed, &stores, &[1, 1, 1])).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        let even = counts.values().all(|count| (400..600).contains(count));
        assert!(even, "{counts:?}");
    }

    #[test]
    fn who_yields_lets_another_run_and_has_a_turn_again() {
        let (threads, stores) = ([ThreadId(0), ThreadId(1)], Stores(vec![0, 64]));
        for seed in 0..100 {
            let mut pos = Pos::new(seed);
            let mut at = |kind, current| {
                pos.next(&Point {
                    kind,
                    current: Some(current),
                    remaining: 10,
                    runnable: &threads,
                    threads: &stores,
                })
                .thread
            };
            assert_eq!(at(PointKind::Yield, ThreadId(0)), ThreadId(1));
            assert_eq!(at(PointKind::Yield, ThreadId(1)), ThreadId(0));
        }
    }
}
