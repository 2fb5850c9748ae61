//! Races by happens-before: Flanagan and Freund, *FastTrack*, PLDI 2009, over vector clocks.
//!
//! **Finds** every access that a conflicting earlier access of another thread does not happen before: ordered by
//! neither program order, nor a release and a later acquire of its lock, nor fork, join, or a notify and its wait.
//! FastTrack stops being exact at the first race of a variable; this does not.
//!
//! **Misses** races that the locks happened to order in this schedule.
//!
//! **Never reports falsely** the first race of a trace: it is predictable. Later ones are unordered by
//! happens-before, but may depend on an earlier race: one that decides whether the code runs at all
//! ([`super::shb`] does not report those).
//!
//! **Cost**: constant time per access where nothing races, time by threads per synchronisation. Memory by threads,
//! locks and variables, not by the length of the trace.

use super::analysis::{Race, RaceAnalysis, Totals, entry};
use super::clock::Order;
use super::event::{Event, Op};
use super::history::History;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct HappensBefore {
    order: Order,
    variables: Vec<History>,
    totals: Totals,
}

impl RaceAnalysis for HappensBefore {
    #[inline]
    fn feed(&mut self, event: Event) -> Option<Race> {
        let at = self.totals.place(&event);
        if !matches!(event.op, Op::Read | Op::Write) {
            self.order.sync(&event);
            return None;
        }
        let clock = self.order.thread(event.thread);
        let variable = entry(&mut self.variables, event.operand);
        let other = variable.access(event.op, event.thread, clock, at);
        self.totals.race(&event, at, other.map(Some))
    }

    fn finish(&self) -> Totals {
        self.totals
    }
}
