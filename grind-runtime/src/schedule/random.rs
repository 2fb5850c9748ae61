//! Random preemption: a seeded walk through the interleavings.
//!
//! Lengths of slices are those of [`stretch`]; at synchronisation, where most orders are decided, every fourth point switches.

use super::{Point, PointKind, Row, Scheduler, SplitMix64, stretch};
use crate::model::Slice;

pub(super) const ROW: Row = Row {
    name: "random",
    about: "Random preemption",
    parameters: &[],
    repeated: &[],
    make: |seed, _| Box::new(Random::new(seed)),
};

/// One in this many synchronisation points considers a switch.
const SYNC_SWITCH: u64 = 4;

/// Preempts at random points, in favour of a random thread.
#[derive(Clone, Debug)]
pub struct Random {
    rng: SplitMix64,
}

impl Random {
    /// Equal seeds decide equally.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Random {
            rng: SplitMix64(seed),
        }
    }
}

impl Scheduler for Random {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        let alone = point.runnable.len() == 1;
        if let (PointKind::Sync, Some(current)) = (point.kind, point.current)
            && point.remaining > 0
            && (alone || self.rng.below(SYNC_SWITCH) != 0)
        {
            return Slice {
                thread: current,
                words: point.remaining,
            };
        }
        let choice = match point.current {
            // Yielding to oneself would make a spin loop out of `while !ready { yield_now() }`.
            Some(current) if point.kind == PointKind::Yield && !alone => {
                let others = point.runnable.len() as u64 - 1;
                let pick = self.rng.below(others) as usize;
                let here = point.runnable.partition_point(|&thread| thread < current);
                point.runnable[if pick < here { pick } else { pick + 1 }]
            }
            _ => point.runnable[self.rng.below(point.runnable.len() as u64) as usize],
        };
        Slice {
            thread: choice,
            words: stretch(&mut self.rng),
        }
    }

    fn random(&mut self) -> u64 {
        self.rng.next()
    }
}
