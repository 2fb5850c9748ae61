//! What has to run before two events can both be next: the first half of a schedule that shows a prediction.
//!
//! The sets are those of [`crate::predict::algorithms::syncp`], in the order of the trace, and where there is none of those, those of
//! [`crate::predict::algorithms::osr`], whose open critical sections have to come last.

use crate::predict::algorithms::analysis::Stop;
use crate::predict::algorithms::clock::Clock;
use crate::predict::algorithms::event::{ReadError, Source};
use crate::predict::algorithms::ideal::{Ideals, Point};
use std::collections::BTreeMap;

/// A set of events that reaches two events, and neither of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// By thread: how many of its events, the first ones.
    pub events: Vec<u32>,
    /// The threads of the two events.
    pub threads: (u32, u32),
}

/// For each pair of event numbers, counted from 1 and ascending, a set that reaches both, if there is one.
///
/// The search is given up where it takes more than `memory` bytes, or `stop` says so; then there are none of the pairs that come
/// later. The number of the event at which that was is returned besides.
///
/// # Errors
/// Those of `source`.
pub fn witnesses(
    mut source: impl Source,
    pairs: &[(u32, u32)],
    memory: Option<u64>,
    stop: &Stop,
) -> Result<(Vec<Option<Witness>>, Option<u32>), ReadError> {
    let mut wanted: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, &(earlier, later)) in pairs.iter().enumerate() {
        wanted.entry(earlier).or_default().push(index);
        wanted.entry(later).or_default().push(index);
    }
    let mut found = vec![None; pairs.len()];
    let mut earlier: Vec<Option<(u32, Point)>> = vec![None; pairs.len()];
    let mut ideals = Ideals::default();
    let mut number = 0;
    while let Some(event) = source.next_event()? {
        number += 1;
        for &index in wanted.get(&number).into_iter().flatten() {
            let now = (event.thread, ideals.point(event.thread));
            match earlier[index] {
                None => earlier[index] = Some(now),
                Some(before) => found[index] = reach(&ideals, before, now),
            }
        }
        wanted.remove(&number);
        if wanted.is_empty() {
            break;
        }
        ideals.feed(&event);
        if number.is_multiple_of(LOOK) {
            let large = memory.is_some_and(|most| ideals.bytes() > most);
            if large || stop.requested() {
                return Ok((found, Some(number)));
            }
        }
    }
    Ok((found, None))
}

/// Events between two looks at the memory.
const LOOK: u32 = 1 << 8;

fn reach(ideals: &Ideals, earlier: (u32, Point), later: (u32, Point)) -> Option<Witness> {
    let (thread, most) = (earlier.0, earlier.1.position());
    let mut events = Clock::default();
    ideals.add(&mut events, earlier.1);
    ideals.add(&mut events, later.1);
    let mut in_order = events.clone();
    ideals.close(&mut in_order);
    if in_order.get(thread) <= most {
        events = in_order;
    } else {
        ideals.close_optimistically(&mut events, thread, most);
    }
    (events.get(thread) <= most).then(|| Witness {
        events: (0..events.len()).map(|thread| events.get(thread)).collect(),
        threads: (thread, later.0),
    })
}
