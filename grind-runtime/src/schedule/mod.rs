//! Who runs next. Knows nothing of wasm: it sees thread ids and counts accesses.
//!
//! Every random choice of an execution is drawn from its scheduler, so a run is a function of the module,
//! its inputs and the scheduler.

mod access;
pub(crate) mod decisions;
mod looks;
mod pct;
mod pos;
mod priorities;
mod profiler;
mod random;
mod rff;
mod round_robin;
pub(crate) mod surw;
mod table;

pub(crate) use decisions::Replayed;
pub(crate) use profiler::Profiler;
pub use random::Random;
pub use round_robin::RoundRobin;
pub use table::{Parameter, Row, STRATEGIES, StrategyError};

use crate::model::{Operation, Slice, SpawnPath, ThreadId};
use serde::{Deserialize, Serialize};
use std::any::Any;

/// Why the machine asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PointKind {
    /// The current thread used its slice up.
    Expired,
    /// The current thread is about to do something that other threads can observe: an atomic, a wait, a
    /// notify, a host call.
    Sync,
    /// The current thread asks to let others run.
    Yield,
    /// The current thread cannot go on, or ended; or nobody has run yet.
    Blocked,
}

/// A scheduling point.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// Why.
    pub kind: PointKind,
    /// Who ran until now.
    pub current: Option<ThreadId>,
    /// Words of records left of the current slice.
    pub remaining: u32,
    /// Who can run, ascending; never empty. With [`PointKind::Blocked`] the current thread is not in it.
    pub runnable: &'a [ThreadId],
    /// What is known of these.
    pub threads: &'a dyn Threads,
}

/// What is known of the threads that can run. It is asked for one thread at a time, so that a strategy pays for what it uses.
pub trait Threads: std::fmt::Debug {
    /// What a thread of [`Point::runnable`], or the current one, does next.
    fn pending(&self, thread: ThreadId) -> Operation<'_>;

    /// Which thread it is in every schedule of the program, where a [`ThreadId`] is one of this run.
    fn path(&self, thread: ThreadId) -> SpawnPath;

    /// How many atomic accesses it has made since the last that gave memory another value: many, if it waits for others by looking again and
    /// again.
    fn in_vain(&self, thread: ThreadId) -> u32 {
        let _ = thread;
        0
    }
}

/// Threads of which nothing is known, for points that no machine made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unknown;

impl Threads for Unknown {
    fn pending(&self, _: ThreadId) -> Operation<'_> {
        Operation::Plain
    }

    fn path(&self, _: ThreadId) -> SpawnPath {
        SpawnPath::default()
    }
}

impl Point<'_> {
    /// Whether this decision lets the current thread go on with what it has left.
    pub(crate) fn keeps(&self, slice: Slice) -> bool {
        self.current == Some(slice.thread) && slice.words == self.remaining
    }
}

/// An oracle that decides a run's interleaving. A run gives it back when it has ended.
pub trait Scheduler: std::fmt::Debug + Send + Any {
    /// Decides who runs next. Another thread than one of [`Point::runnable`], or no words, end the run with an error.
    fn next(&mut self, point: &Point<'_>) -> Slice;

    /// Random bits for the guest (`random_get` and the like).
    fn random(&mut self) -> u64;
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): its whole state is the seed, so that every seed, 0
/// included, gives a stream of its own.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> SplitMix64 {
        SplitMix64(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..bound`. The bias is below `bound / 2^64`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// One of these, as likely as any other; none if there are none.
    pub(crate) fn pick<T>(&mut self, mut of: impl Iterator<Item = T> + Clone) -> Option<T> {
        match of.clone().count() {
            0 => None,
            count => of.nth(self.below(count as u64) as usize),
        }
    }

    /// One of these, as likely as its weight says; none if no weight is above 0.
    pub(crate) fn draw<T>(
        &mut self,
        weighted: impl Iterator<Item = (T, u64)> + Clone,
    ) -> Option<T> {
        let total = weighted.clone().map(|(_, weight)| weight).sum();
        if total == 0 {
            return None;
        }
        let mut at = self.below(total);
        for (one, weight) in weighted {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return Some(one),
            }
        }
        None
    }
}

/// Accesses of a stretch are `1..=2^MAX_LOG`, of [`WORDS`] each.
const MAX_LOG: u64 = 12;
/// Words of an access on its own.
const WORDS: u32 = 2;

/// Words of a random stretch of plain accesses. Lengths are log-uniform, so that both long stretches and preemptions between two
/// neighbouring accesses occur.
fn stretch(rng: &mut SplitMix64) -> u32 {
    let bits = rng.below(MAX_LOG + 1);
    WORDS * (1 + rng.below(1 << bits) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_splitmix64() {
        // Reference values of the published generator for seed 1234567.
        let mut rng = SplitMix64(1_234_567);
        let got: Vec<u64> = (0..3).map(|_| rng.next()).collect();
        assert_eq!(
            got,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn a_slice_names_a_runnable_thread_and_is_never_empty() {
        for row in STRATEGIES {
            let (strategy, mut scheduler) = (row.name, row.scheduler(7));
            let runnable = [ThreadId(1), ThreadId(4), ThreadId(9)];
            for kind in [
                PointKind::Expired,
                PointKind::Sync,
                PointKind::Yield,
                PointKind::Blocked,
            ] {
                for remaining in [0, 1, 1000] {
                    let current = (kind != PointKind::Blocked).then_some(ThreadId(4));
                    let slice = scheduler.next(&Point {
                        kind,
                        current,
                        remaining,
                        runnable: &runnable,
                        threads: &Unknown,
                    });
                    assert!(runnable.contains(&slice.thread), "{strategy:?} {kind:?}");
                    assert!(slice.words > 0, "{strategy:?} {kind:?}");
                }
            }
        }
    }

    #[test]
    fn every_runnable_thread_gets_its_turn() {
        for row in STRATEGIES {
            let (strategy, mut scheduler) = (row.name, row.scheduler(3));
            let runnable: Vec<ThreadId> = (0..5).map(ThreadId).collect();
            let mut current = ThreadId(0);
            let mut seen = [false; 5];
            for _ in 0..200 {
                current = scheduler
                    .next(&Point {
                        kind: PointKind::Expired,
                        current: Some(current),
                        remaining: 0,
                        runnable: &runnable,
                        threads: &Unknown,
                    })
                    .thread;
                seen[current.0 as usize] = true;
            }
            assert_eq!(seen, [true; 5], "{strategy:?}");
        }
    }
}
