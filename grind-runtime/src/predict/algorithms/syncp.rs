//! Sync-preserving races: Mathur, Pavlogiannis and Viswanathan, *Optimal Prediction of Synchronization-Preserving
//! Races*, POPL 2021.
//!
//! **Finds** every access that can be made to race with an earlier one by a schedule that takes every lock in the
//! order of the trace, as often as it takes it at all. It may leave out whole critical sections, which is what
//! happens-before cannot. All that [`crate::predict::algorithms::shb`] finds is among them.
//!
//! **Misses** races that need two critical sections of a lock to swap.
//!
//! **Never reports falsely**: every race can be made by a schedule in which every thread reads the same values up to
//! it.
//!
//! **Cost**: what locks or reads order is found out in constant time; else, time by threads and by what has to be added
//! to a schedule. Memory grows with the trace: 28 bytes per access that no earlier one of the same thread stands for, and
//! 100 per acquire.

use crate::predict::algorithms::accesses::{Access, Judge, Pairs, Schedule, Verdict};
use crate::predict::algorithms::analysis::{Race, RaceAnalysis, Stop, Totals};
use crate::predict::algorithms::event::Event;
use crate::predict::algorithms::ideal::Ideals;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct SyncPreserving {
    ideals: Ideals,
    pairs: Pairs,
    totals: Totals,
}

struct InOrder;

impl Judge for InOrder {
    #[inline]
    fn judge(
        &mut self,
        ideals: &Ideals,
        schedule: &mut Schedule,
        earlier: &Access,
        now: &Access,
    ) -> Verdict {
        // A schedule with both acquires of a lock has the release of the first, and what is before that.
        if ideals.common(now.thread, earlier.thread, earlier.innermost) {
            return Verdict::Contained;
        }
        let events = schedule.reaching(ideals, earlier, now);
        ideals.close(events);
        if events.get(earlier.thread) > earlier.point.position() {
            Verdict::Contained
        } else {
            Verdict::Racing
        }
    }

    #[inline]
    fn stamp(&self, _: &Ideals) -> u32 {
        0
    }
}

impl RaceAnalysis for SyncPreserving {
    fn feed(&mut self, event: Event) -> Option<Race> {
        let at = self.totals.place(&event);
        let other = event.op.access().map(|how| {
            let access = (event.thread, how, event.operand);
            self.pairs
                .access(&mut self.ideals, &mut InOrder, access, at)
        });
        self.ideals.feed(&event);
        self.totals.race(&event, at, other.flatten().map(Some))
    }

    fn finish(&self) -> Totals {
        self.totals
    }

    fn bytes(&self) -> u64 {
        self.ideals.bytes() + self.pairs.bytes()
    }

    fn stop_when(&mut self, stop: Stop) {
        self.pairs.stop = stop;
    }
}
