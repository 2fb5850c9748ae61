//! Random priorities of pending operations, of which the highest runs: what partial order sampling and those that are built on it share.
//!
//! An operation has its priority from when it is pending until it is carried out. Plain accesses, of which nothing is known before they are made,
//! come in stretches of random lengths, each with a priority like an operation.
//!
//! **Fair**: the next operation of a thread that yields, or that waits for others by looking again and again, has a lower priority than all
//! that were given. So a thread that spins does not keep those from running for which it waits, whatever is drawn.

use super::access::Access;
use super::{Point, PointKind, SplitMix64, stretch};
use crate::model::{Operation, Slice, ThreadId};
use std::collections::BTreeMap;

/// Atomic accesses that gave memory no other value, and stretches of plain ones, before a thread is taken to wait. Locks
/// look a hundred times (std) before they let the thread sleep, which others may have to see.
pub(super) const PATIENCE: u32 = 256;
/// Operations of a thread while others could run, before it is taken to wait whatever it does.
const LONG_PATIENCE: u32 = 4096;

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Priorities {
    pub(super) rng: SplitMix64,
    /// Of what threads do next. Those that fell are negative.
    of: BTreeMap<ThreadId, i64>,
    /// Below all that were given.
    lowest: i64,
    /// Accesses of each thread that gave memory no other value, or stretches without any, since it last did something else.
    idle: BTreeMap<ThreadId, u32>,
    /// Who runs, and for how many operations while others could.
    alone: (Option<ThreadId>, u32),
    /// Who was chosen last, and what it does then.
    last: Option<Turn>,
}

/// A thread was chosen, and does this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) thread: ThreadId,
    does: Does,
}

#[derive(Clone, Copy, Debug)]
enum Does {
    /// Plain accesses and calls.
    Plain,
    Access(Access),
    /// A call of the host, a fence.
    Other,
}

impl Turn {
    /// What others can observe of it, if it is known.
    pub(super) fn access(self) -> Option<Access> {
        match self.does {
            Does::Access(access) => Some(access),
            Does::Plain | Does::Other => None,
        }
    }
}

impl Priorities {
    pub(super) fn new(seed: u64) -> Priorities {
        Priorities {
            rng: SplitMix64::new(seed),
            of: BTreeMap::new(),
            lowest: 0,
            idle: BTreeMap::new(),
            alone: (None, 0),
            last: None,
        }
    }

    /// What was chosen last has been carried out: its thread does something else next. To be called first at each point.
    pub(super) fn carried_out(&mut self, point: &Point<'_>) -> Option<Turn> {
        let last = self.last.take();
        if let Some(Turn { thread, does }) = last {
            self.of.remove(&thread);
            let in_vain = point.threads.in_vain(thread);
            let idle = self.idle.entry(thread).or_default();
            match does {
                Does::Access(_) => *idle = in_vain,
                Does::Plain if point.kind == PointKind::Expired => {
                    *idle = idle.saturating_add(1);
                }
                Does::Plain | Does::Other => {}
            }
        }
        if let (PointKind::Yield, Some(current)) = (point.kind, point.current) {
            self.fall(current);
        }
        last
    }

    /// Whether a thread is taken to wait for others: its next operation falls, or has.
    pub(super) fn waits(&self, thread: ThreadId) -> bool {
        self.of.get(&thread).is_some_and(|of| *of < 0)
            || (self.idle.get(&thread)).is_some_and(|idle| *idle >= PATIENCE)
            || (self.alone.0 == Some(thread) && self.alone.1 >= LONG_PATIENCE)
    }

    /// The next operation of a thread comes behind those of all others.
    fn fall(&mut self, thread: ThreadId) {
        self.lowest -= 1;
        self.of.insert(thread, self.lowest);
    }

    /// A pending operation is drawn anew, unless it fell.
    pub(super) fn draw_again(&mut self, thread: ThreadId) {
        if self.of.get(&thread).is_some_and(|of| *of >= 0) {
            self.of.remove(&thread);
        }
    }

    fn of(&mut self, thread: ThreadId) -> i64 {
        if let Some(known) = self.of.get(&thread) {
            return *known;
        }
        if self.waits(thread) {
            self.fall(thread);
            return self.lowest;
        }
        let priority = (self.rng.next() >> 1) as i64;
        self.of.insert(thread, priority);
        priority
    }

    /// The thread with the highest priority in the highest band; those without a band do not take part. None if there are no others.
    pub(super) fn highest(
        &mut self,
        point: &Point<'_>,
        mut band: impl FnMut(ThreadId) -> Option<i8>,
    ) -> Option<ThreadId> {
        let ranked = (point.runnable.iter()).filter_map(|&thread| {
            let band = band(thread)?;
            let priority = self.of(thread);
            // Among those that wait each has its turn, whatever is wanted of them.
            let band = (priority >= 0).then_some(band);
            Some((band, priority, thread))
        });
        ranked.max().map(|(.., thread)| thread)
    }

    /// Lets a thread have its turn.
    pub(super) fn turn(&mut self, point: &Point<'_>, thread: ThreadId) -> Slice {
        let goes_on = self.alone.0 == Some(thread) && point.runnable.len() > 1;
        let operations = if goes_on { self.alone.1 + 1 } else { 0 };
        self.alone = (Some(thread), operations);
        let pending = point.threads.pending(thread);
        let does = match (Access::of(&pending), pending) {
            (Some(access), _) => Does::Access(access),
            (None, Operation::Plain) => Does::Plain,
            (None, _) => Does::Other,
        };
        self.last = Some(Turn { thread, does });
        let keeps = point.current == Some(thread) && point.kind == PointKind::Sync;
        let words = match keeps && point.remaining > 0 {
            true => point.remaining,
            false => stretch(&mut self.rng),
        };
        Slice { thread, words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SpawnPath;
    use crate::schedule::{Threads, Unknown};

    /// The first two threads wait for others.
    #[derive(Debug)]
    struct Waiting;

    impl Threads for Waiting {
        fn pending(&self, _: ThreadId) -> Operation<'_> {
            Operation::Notify {
                site: crate::model::sites::SiteId(0),
                addr: 0,
            }
        }

        fn path(&self, _: ThreadId) -> SpawnPath {
            SpawnPath::default()
        }

        fn in_vain(&self, thread: ThreadId) -> u32 {
            match thread.0 {
                0 | 1 => PATIENCE,
                _ => 0,
            }
        }
    }

    /// Who has how many of so many turns, each of which ends so.
    fn turns(seed: u64, threads: &dyn Threads, ends: PointKind, count: usize) -> [usize; 3] {
        let mut priorities = Priorities::new(seed);
        let runnable = [ThreadId(0), ThreadId(1), ThreadId(2)];
        let mut turns = [0; 3];
        let mut current = None;
        for _ in 0..count {
            let point = Point {
                kind: match current {
                    Some(_) => ends,
                    None => PointKind::Blocked,
                },
                current,
                remaining: 10,
                runnable: &runnable,
                threads,
            };
            priorities.carried_out(&point);
            let highest = priorities.highest(&point, |_| Some(0));
            let slice = priorities.turn(&point, highest.expect("all take part"));
            turns[slice.thread.0 as usize] += 1;
            current = Some(slice.thread);
        }
        turns
    }

    #[test]
    fn who_waits_for_others_lets_them_run() {
        for seed in 0..200 {
            // The first turn of each shows that it waits.
            let [first, second, other] = turns(seed, &Waiting, PointKind::Sync, 100);
            assert!(first <= 1 && second <= 1 && other >= 98, "{seed}");
        }
    }

    #[test]
    fn plain_accesses_without_end_let_others_run() {
        for seed in 0..200 {
            let turns = turns(seed, &Unknown, PointKind::Expired, 9 * PATIENCE as usize);
            assert!(turns.iter().all(|turns| *turns > 30), "{seed}: {turns:?}");
        }
    }
}
