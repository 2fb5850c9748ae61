//! What the race analyses have in common.

use crate::predict::algorithms::event::{Event, ReadError, Source};
use std::fmt;
use std::sync::Arc;

/// An event of the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Its number, counted from 1.
    pub number: u32,
    /// Its location.
    pub location: u32,
}

/// An access that races with an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Race {
    /// The later access.
    pub at: Place,
    /// One of the earlier ones that it races with, if the analysis knows which.
    pub other: Option<Place>,
    /// What both access.
    pub variable: u32,
}

/// A question whether to stop, for whatever takes long. Nothing is stopped by default.
#[derive(Clone, Default)]
pub struct Stop(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Stop {
    /// Asks `stop`, often: it should be quick.
    pub fn when(stop: impl Fn() -> bool + Send + Sync + 'static) -> Stop {
        Stop(Some(Arc::new(stop)))
    }

    /// Whether to stop.
    #[inline]
    pub fn requested(&self) -> bool {
        self.0.as_ref().is_some_and(|stop| stop())
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

/// What an analysis saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events fed.
    pub events: u32,
    /// Those for which a race was returned.
    pub racy: u32,
}

/// Finds, event by event, accesses that race with an earlier one.
///
/// All of them count: a variable may have many. The trace is expected to be well-formed
/// ([`crate::predict::algorithms::well_formed::Checked`]), of at most [`crate::predict::algorithms::event::MAX_EVENTS`] events; on another, what is said means
/// nothing, but nothing fails.
pub trait RaceAnalysis {
    /// Takes the next event, and says whether it races with an earlier one.
    fn feed(&mut self, event: Event) -> Option<Race>;

    /// What was seen; to be called when the trace has ended.
    fn finish(&self) -> Totals;

    /// About how many bytes of memory it takes by now.
    fn bytes(&self) -> u64;

    /// Asked now and then within an event that takes long, whether nobody waits for what comes of it. What is said after that
    /// lacks races.
    fn stop_when(&mut self, _stop: Stop) {}

    /// Feeds all of `source`, and gives `found` every race.
    ///
    /// # Errors
    /// Those of `source`.
    fn run(
        &mut self,
        mut source: impl Source,
        mut found: impl FnMut(Race),
    ) -> Result<Totals, ReadError>
    where
        Self: Sized,
    {
        while let Some(event) = source.next_event()? {
            if let Some(race) = self.feed(event) {
                found(race);
            }
        }
        Ok(self.finish())
    }
}

impl Totals {
    /// The place of the next event.
    #[inline]
    pub(in crate::predict) fn place(&mut self, event: &Event) -> Place {
        self.events += 1;
        Place {
            number: self.events,
            location: event.location,
        }
    }

    /// Counts `event` at `at` if it races with `other`.
    #[inline]
    pub(in crate::predict) fn race(
        &mut self,
        event: &Event,
        at: Place,
        other: Option<Option<Place>>,
    ) -> Option<Race> {
        let other = other?;
        self.racy += 1;
        Some(Race {
            at,
            other,
            variable: event.operand,
        })
    }
}

/// Bytes that a table has allocated for its entries.
pub(in crate::predict) fn table_bytes<T>(table: &Vec<T>) -> u64 {
    (table.capacity() * size_of::<T>()) as u64
}

/// The entry of `index`, which need not exist yet. Numbers are dense, so the table grows with the trace.
#[inline]
pub(in crate::predict) fn entry<T: Default>(table: &mut Vec<T>, index: u32) -> &mut T {
    let index = index as usize;
    if index >= table.len() {
        table.resize_with(index + 1, T::default);
    }
    &mut table[index]
}
