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

use crate::predict::algorithms::analysis::{Race, RaceAnalysis, Totals, entry, table_bytes};
use crate::predict::algorithms::clock::{Clock, Order};
use crate::predict::algorithms::event::Event;
use crate::predict::algorithms::history::History;
use rustc_hash::FxHashMap;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Shb {
    order: Order,
    variables: Vec<Variable>,
    /// The last plain write of variables that were written by an atomic since.
    plain: FxHashMap<u32, Written>,
    /// Bytes of variables beyond those in `variables`.
    spilled: u64,
    totals: Totals,
}

#[derive(Clone, Debug, Default)]
struct Variable {
    history: History,
    /// The last write.
    last: Written,
}

/// A write: its thread, and what that knew.
#[derive(Clone, Debug, Default)]
struct Written {
    by: u32,
    clock: Clock,
}

impl Written {
    /// Somebody who knew `clock` sees it.
    #[inline]
    fn seen(&self, clock: &mut Clock) {
        if self.clock.get(self.by) > clock.get(self.by) {
            clock.join(&self.clock);
        }
    }
}

impl RaceAnalysis for Shb {
    #[inline]
    fn feed(&mut self, event: Event) -> Option<Race> {
        let at = self.totals.place(&event);
        let thread = event.thread;
        let Some(how) = event.op.access() else {
            self.order.sync(&event);
            return None;
        };
        let clock = self.order.thread(thread);
        let variable = entry(&mut self.variables, event.operand);
        let bytes = &mut self.spilled;
        let other = (variable.history).access(how, thread, clock, at, bytes);
        let last = &mut variable.last;
        if how.atomic {
            // What atomics stored is told of by events of their own.
            let plain = self.plain.get(&event.operand).unwrap_or(&*last);
            plain.seen(clock);
            if how.write && !self.plain.contains_key(&event.operand) {
                *bytes += (size_of::<(u32, Written)>() as u64) + last.clock.spilled();
                self.plain.insert(event.operand, last.clone());
            }
        }
        if how.write {
            if !how.atomic && !self.plain.is_empty() {
                self.plain.remove(&event.operand);
            }
            let before = last.clock.spilled();
            last.by = thread;
            last.clock.copy(clock);
            *bytes += last.clock.spilled() - before;
            // A read learns of this write, and of nothing after it.
            clock.tick(thread);
        } else if !how.atomic {
            last.seen(clock);
        }
        self.totals.race(&event, at, other.map(Some))
    }

    fn finish(&self) -> Totals {
        self.totals
    }

    fn bytes(&self) -> u64 {
        self.order.bytes() + table_bytes(&self.variables) + self.spilled
    }
}
