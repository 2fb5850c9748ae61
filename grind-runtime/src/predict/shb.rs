//! Races by schedulable happens-before: Mathur, Kini and Viswanathan, *What Happens-After the First Race?*, OOPSLA 2018.
//!
//! Happens-before, and in addition every read is ordered after the write whose value it saw. The read itself is
//! tested before that.
//!
//! **Finds** every access that a conflicting earlier access of another thread is not ordered before.
//!
//! **Misses** races that the locks, or the values that were read, happened to order in this schedule. So it finds
//! fewer than happens-before, in favour of:
//!
//! **Never reports falsely**: every race can be made by a schedule in which every thread reads the same values up to
//! it.
//!
//! **Cost**: constant time per read of what is known already, else time by threads. Memory by threads, locks and,
//! times threads, variables, not by the length of the trace.

use super::analysis::{Race, RaceAnalysis, Totals, entry};
use super::clock::{Clock, Order};
use super::event::{Event, Op};
use super::history::History;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Shb {
    order: Order,
    variables: Vec<Variable>,
    totals: Totals,
}

#[derive(Clone, Debug, Default)]
struct Variable {
    history: History,
    /// The last write: its thread, and what that knew.
    writer: u32,
    written: Clock,
}

impl RaceAnalysis for Shb {
    #[inline]
    fn feed(&mut self, event: Event) -> Option<Race> {
        let at = self.totals.place(&event);
        let thread = event.thread;
        if !matches!(event.op, Op::Read | Op::Write) {
            self.order.sync(&event);
            return None;
        }
        let clock = self.order.thread(thread);
        let variable = entry(&mut self.variables, event.operand);
        let other = variable.history.access(event.op, thread, clock, at);
        if event.op == Op::Write {
            variable.writer = thread;
            variable.written.copy(clock);
            // A read learns of this write, and of nothing after it.
            clock.tick(thread);
        } else if variable.written.get(variable.writer) > clock.get(variable.writer) {
            clock.join(&variable.written);
        }
        self.totals.race(&event, at, other.map(Some))
    }

    fn finish(&self) -> Totals {
        self.totals
    }
}
