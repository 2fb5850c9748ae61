//! Round-robin: threads take turns in the order of their ids.

use super::{Point, PointKind, Row, Scheduler, SplitMix64};
use crate::model::Slice;

pub(super) const ROW: Row = Row {
    name: "round-robin",
    about: "Threads take turns",
    parameters: &[],
    repeated: &[],
    make: |seed, _| Box::new(RoundRobin::new(seed)),
};

/// Words of a full turn. Long enough that switching costs nothing measurable (a switch is worth about
/// 20 accesses), short enough that every thread of a small test runs.
const QUANTUM: u32 = 4000;

/// What a point that does not switch takes from the turn, so that a thread spinning on an atomic comes to
/// the end of its turn.
const SYNC_COST: u32 = 200;

/// Threads take turns.
#[derive(Clone, Debug)]
pub struct RoundRobin {
    rng: SplitMix64,
}

impl RoundRobin {
    /// The seed feeds only [`Scheduler::random`].
    #[must_use]
    pub fn new(seed: u64) -> Self {
        RoundRobin {
            rng: SplitMix64(seed),
        }
    }
}

impl Scheduler for RoundRobin {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        if let (PointKind::Sync, Some(current)) = (point.kind, point.current)
            && point.remaining > SYNC_COST
        {
            return Slice {
                thread: current,
                words: point.remaining - SYNC_COST,
            };
        }
        let after = point.current.map_or(0, |current| {
            point.runnable.partition_point(|&thread| thread <= current)
        });
        Slice {
            thread: point.runnable[after % point.runnable.len()],
            words: QUANTUM,
        }
    }

    fn random(&mut self) -> u64 {
        self.rng.next()
    }
}
