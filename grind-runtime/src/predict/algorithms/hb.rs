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
//! ([`crate::predict::algorithms::shb`] does not report those), or on a notification that is no synchronisation ([`Op::Needs`]).
//!
//! **Cost**: constant time per access where nothing races, time by threads per synchronisation. Memory by threads,
//! locks and variables, not by the length of the trace.

use crate::predict::algorithms::analysis::{Race, RaceAnalysis, Totals, entry, table_bytes};
use crate::predict::algorithms::clock::Order;
use crate::predict::algorithms::event::{Event, Op};
use crate::predict::algorithms::history::History;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct HappensBefore {
    order: Order,
    variables: Vec<History>,
    /// Bytes of histories beyond those in `variables`.
    spilled: u64,
    totals: Totals,
}

impl RaceAnalysis for HappensBefore {
    #[inline]
    fn feed(&mut self, event: Event) -> Option<Race> {
        let at = self.totals.place(&event);
        let Some(how) = event.op.access() else {
            if event.op != Op::Needs {
                self.order.sync(&event);
            }
            return None;
        };
        let clock = self.order.thread(event.thread);
        let variable = entry(&mut self.variables, event.operand);
        let other = variable.access(how, event.thread, clock, at, &mut self.spilled);
        self.totals.race(&event, at, other.map(Some))
    }

    fn finish(&self) -> Totals {
        self.totals
    }

    fn bytes(&self) -> u64 {
        self.order.bytes() + table_bytes(&self.variables) + self.spilled
    }
}
