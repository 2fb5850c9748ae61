//! Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): random priorities, and a few random
//! points at which the thread that runs falls below all others.
//!
//! **Finds** an ordering defect of depth `d` (one that shows as soon as `d` ordering constraints hold) in a run of `n` threads and `k` operations with
//! a probability of at least `1 / (n * k^(d - 1))`, in one run of each seed. Operations are those that others can observe; `k` is the second
//! parameter, for it has to be known before.
//!
//! **Misses** what needs more preemptions than `d - 1`, what happens behind operation `k`, where nobody is preempted any more, and orders of
//! plain accesses between two operations.
//!
//! **Deviates** from the paper where a thread would run for ever: one that yields, whose last 256 atomic accesses gave memory no other value, or that
//! has run for 65,536 words while others could, falls below all others. So a thread that spins ends, and the bound does not hold for
//! programs in which threads spin.
//!
//! **Cost**: a priority looked up for each runnable thread at each point.

use super::table::{Parameter, Row};
use super::{Point, PointKind, Scheduler, SplitMix64, priorities};
use crate::model::{Slice, ThreadId};
use std::collections::BTreeMap;

pub(super) const ROW: Row = Row {
    name: "pct",
    about: "Random priorities, which change at a few random points: `pct:DEPTH,LENGTH`",
    parameters: &[
        Parameter {
            name: "depth",
            default: 3,
            range: 1..=64,
        },
        Parameter {
            name: "length",
            default: 512,
            range: 1..=1 << 30,
        },
    ],
    repeated: &[],
    make: |seed, parameters| Box::new(Pct::new(seed, parameters[0], parameters[1])),
};

/// Words for which a thread runs at most before it falls below all others.
const PATIENCE: u64 = 1 << 16;
/// Words that an operation counts as where it is patience that is counted.
const WORDS: u64 = 2;

/// See the module.
#[derive(Clone, Debug)]
struct Pct {
    rng: SplitMix64,
    /// Operations before which the thread that runs falls below all others, descending.
    changes: Vec<u64>,
    /// Operations so far.
    at: u64,
    /// What was decided last.
    last: Option<Slice>,
    /// Words since another thread ran.
    alone: u64,
    /// High ones run first.
    priorities: BTreeMap<ThreadId, i64>,
    /// Below all that were given.
    lowest: i64,
}

impl Pct {
    /// For defects of this depth, at least 1, in runs of so many operations.
    fn new(seed: u64, depth: u32, length: u32) -> Pct {
        let mut rng = SplitMix64(seed);
        let mut changes: Vec<u64> = (1..depth).map(|_| rng.below(length.into())).collect();
        changes.sort_unstable_by(|a, b| b.cmp(a));
        Pct {
            rng,
            changes,
            at: 0,
            last: None,
            alone: 0,
            priorities: BTreeMap::new(),
            lowest: 0,
        }
    }

    /// Counts what happened since the last decision.
    fn count(&mut self, point: &Point<'_>) {
        let ran = (self.last).map_or(0, |last| last.words.saturating_sub(point.remaining));
        let operation = matches!(point.kind, PointKind::Sync | PointKind::Yield);
        self.at += u64::from(operation);
        self.alone += u64::from(ran) + WORDS * u64::from(operation);
    }

    /// Lets a thread run only where no other can.
    fn fall(&mut self, thread: ThreadId) {
        self.lowest -= 1;
        self.priorities.insert(thread, self.lowest);
        self.alone = 0;
    }

    fn priority(&mut self, thread: ThreadId) -> i64 {
        let rng = &mut self.rng;
        // Positive, above all that fell.
        *(self.priorities.entry(thread)).or_insert_with(|| (rng.next() >> 1) as i64)
    }
}

impl Scheduler for Pct {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        self.count(point);
        let in_vain = |current| point.threads.in_vain(current) >= priorities::PATIENCE;
        let mut falls = point.kind == PointKind::Yield
            || self.alone > PATIENCE
            || point.current.is_some_and(in_vain);
        while self.changes.pop_if(|step| *step <= self.at).is_some() {
            falls = true;
        }
        if let (true, Some(current)) = (falls, point.current) {
            self.fall(current);
        }
        let first = point.runnable[0];
        let thread = (point.runnable.iter().copied())
            .map(|thread| (self.priority(thread), thread))
            .max()
            .map_or(first, |(_, thread)| thread);
        let goes_on = point.current == Some(thread);
        if !goes_on {
            self.alone = 0;
        }
        let words = match goes_on && point.remaining > 0 {
            true => point.remaining,
            false => PATIENCE as u32,
        };
        let slice = Slice { thread, words };
        self.last = Some(slice);
        slice
    }

    fn random(&mut self) -> u64 {
        self.rng.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Strategy;
    use crate::schedule::Unknown;

    /// Lets threads make so many operations, and says who made each.
    fn run(pct: &mut Pct, threads: &[ThreadId], operations: usize) -> Vec<u32> {
        let mut order = Vec::new();
        let (mut current, mut remaining) = (None, 0);
        while order.len() < operations {
            let kind = match current {
                Some(_) => PointKind::Sync,
                None => PointKind::Blocked,
            };
            let slice = pct.next(&Point {
                kind,
                current,
                remaining,
                runnable: threads,
                threads: &Unknown,
            });
            order.push(slice.thread.0);
            (current, remaining) = (Some(slice.thread), slice.words);
        }
        order
    }

    #[test]
    fn it_preempts_as_often_as_its_depth_says_within_its_length() {
        let threads: Vec<ThreadId> = (0..4).map(ThreadId).collect();
        let mut places = Vec::new();
        for seed in 0..200 {
            let order = run(&mut Pct::new(seed, 3, 100), &threads, 1000);
            let at: Vec<usize> = (1..order.len())
                .filter(|&at| order[at] != order[at - 1])
                .collect();
            assert!(at.len() <= 2 && at.iter().all(|&at| at <= 100), "{at:?}");
            places.extend(at);
        }
        // Everywhere in it.
        assert!((0..10).all(|tenth| places.iter().any(|at| at / 10 == tenth)));
    }

    #[test]
    fn its_parameters_can_be_given() {
        let named = |text: &str| text.parse().map(|strategy: Strategy| strategy.to_string());
        assert_eq!(named("pct"), Ok("pct:3,512".to_owned()));
        assert_eq!(named("pct:7"), Ok("pct:7,512".to_owned()));
        assert_eq!(named("pct:1, 90"), Ok("pct:1,90".to_owned()));
        for (wrong, says) in [
            (
                "pct:0",
                "`0` is not a depth of `pct`, which is a number from 1 to 64",
            ),
            (
                "pct:3,x",
                "`x` is not a length of `pct`, which is a number from 1 to 1073741824",
            ),
            ("pct:1,2,3", "`pct` has 2 parameters, not 3"),
        ] {
            let error = named(wrong).map_err(|error| error.to_string());
            assert_eq!(error, Err(says.to_owned()));
        }
    }

    #[test]
    fn every_thread_is_the_first_in_some_seed() {
        let threads: Vec<ThreadId> = (0..4).map(ThreadId).collect();
        let first = |seed| run(&mut Pct::new(seed, 1, 100), &threads, 1)[0];
        let counts = (0..400).fold([0; 4], |mut counts, seed| {
            counts[first(seed) as usize] += 1;
            counts
        });
        assert!(
            counts.iter().all(|&count| (60..140).contains(&count)),
            "{counts:?}"
        );
    }

    #[test]
    fn who_yields_or_spins_lets_others_run() {
        let threads = [ThreadId(0), ThreadId(1)];
        let mut pct = Pct::new(1, 1, 1);
        let yielding = Point {
            kind: PointKind::Yield,
            current: Some(ThreadId(0)),
            remaining: 10,
            runnable: &threads,
            threads: &Unknown,
        };
        assert_eq!(pct.next(&yielding).thread, ThreadId(1));
        let order = run(&mut pct, &threads, 2 * PATIENCE as usize);
        assert!(order.contains(&0) && order.contains(&1));
    }
}
