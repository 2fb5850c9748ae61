//! Optimistic synchronisation-reversal races: Shi, Mathur and Pavlogiannis, *Optimistic Prediction of
//! Synchronization-Reversal Data Races*, ICSE 2024.
//!
//! A schedule that reaches two accesses is made of what they need, and, optimistically, of the releases of all locks
//! taken by then, where that does not take one of the two accesses. If then at most one section of each lock is left
//! open, it comes after all others of its lock, even if it came before them in the trace. The rest keeps its order: so
//! whether there is such a schedule is whether that order has no circle.
//!
//! **Finds** every access for which there is one, with an earlier one.
//!
//! **Misses** races whose schedules reverse the order of two whole sections, or of conflicting accesses.
//! Releases that come after the later access in the trace are not known when it is tested, and not used.
//!
//! **Never reports falsely**: the schedule is a correct reordering.
//!
//! **Cost**: quadratic, as every exact answer to this question is: a pair that has no schedule is looked at again for
//! every later access, and finding a circle takes time by the events between the two sections that are reversed.
//! Memory grows with the trace: what [`crate::predict::algorithms::syncp`] takes, and 20 bytes per event up to 2^24 events. A circle
//! that would have to be looked for in older ones is assumed, which only misses.

use crate::predict::algorithms::accesses::{Access, Judge, Pairs, Schedule, Verdict};
use crate::predict::algorithms::analysis::{Race, RaceAnalysis, Stop, Totals};
use crate::predict::algorithms::clock::Clock;
use crate::predict::algorithms::event::{Event, Op};
use crate::predict::algorithms::ideal::{Ideals, Open};
use crate::predict::algorithms::names::Operand;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Events that are remembered.
const MAX_KEPT: usize = 1 << 24;

/// Events that are looked at between two questions whether to stop.
const STOP_EVERY: u32 = 1 << 16;

/// Sections that can be reversed in one schedule; more are too many.
const MAX_REVERSED: usize = 64;

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Osr {
    ideals: Ideals,
    pairs: Pairs,
    kept: Kept,
    totals: Totals,
}

/// The last events.
#[derive(Clone, Debug)]
struct Kept {
    most: usize,
    /// With their number among the events of their thread.
    events: VecDeque<(Event, u32)>,
    /// How many came before.
    forgotten: u32,
    positions: Vec<u32>,
    stop: Stop,
}

impl Default for Osr {
    fn default() -> Self {
        Osr::with_events(MAX_KEPT)
    }
}

impl Osr {
    /// An analysis that remembers up to `most` events, at least one.
    pub fn with_events(most: usize) -> Self {
        Osr {
            ideals: Ideals::default(),
            pairs: Pairs::default(),
            kept: Kept {
                most: most.max(1),
                events: VecDeque::new(),
                forgotten: 0,
                positions: Vec::new(),
                stop: Stop::default(),
            },
            totals: Totals::default(),
        }
    }
}

impl Kept {
    fn push(&mut self, event: Event) {
        if self.events.len() >= self.most {
            self.events.pop_front();
            self.forgotten += 1;
        }
        let position =
            crate::predict::algorithms::analysis::entry(&mut self.positions, event.thread);
        *position += 1;
        self.events.push_back((event, *position));
    }

    /// Events by number, none if they are forgotten.
    fn range(&self, first: u32, last: u32) -> Option<impl Iterator<Item = (u32, &(Event, u32))>> {
        let start = first.checked_sub(self.forgotten + 1)? as usize;
        let end = last.checked_sub(self.forgotten)? as usize;
        // A lock with two holders, in a trace that cannot be, has a section without a release.
        if end < start {
            return None;
        }
        Some((first..).zip(self.events.range(start..end)))
    }
}

/// A section that has to come after others which it preceded.
#[derive(Clone, Copy, Debug)]
struct Reversed {
    acquire: u32,
    /// The last release of the others.
    release: u32,
}

impl Judge for &Kept {
    fn judge(
        &mut self,
        ideals: &Ideals,
        schedule: &mut Schedule,
        earlier: &Access,
        now: &Access,
    ) -> Verdict {
        // Both sections would be open.
        if ideals.common(now.thread, earlier.thread, earlier.innermost) {
            return Verdict::Apart;
        }
        let events = schedule.reaching(ideals, earlier, now);
        if events.get(earlier.thread) <= earlier.point.position() {
            ideals.close_optimistically(events, earlier.thread, earlier.point.position());
        }
        if events.get(earlier.thread) > earlier.point.position() {
            return Verdict::Contained;
        }
        let mut open: SmallVec<[Open; 8]> = ideals.open_sections(events).collect();
        open.sort_unstable_by_key(|section| section.lock);
        if open.windows(2).any(|two| two[0].lock == two[1].lock) {
            return Verdict::Apart;
        }
        let reversed: SmallVec<[Reversed; 8]> = open
            .iter()
            .filter_map(|section| {
                let release = ideals.later_release(events, section)?;
                Some(Reversed {
                    acquire: section.acquire,
                    release,
                })
            })
            .collect();
        if circle(self, events, &reversed) {
            Verdict::Apart
        } else {
            Verdict::Racing
        }
    }

    fn stamp(&self, ideals: &Ideals) -> u32 {
        ideals.releases
    }
}

/// What later events are ordered after, as bits.
#[derive(Clone, Copy, Debug, Default)]
struct Order {
    /// The last write, or release, or notify.
    write: u64,
    /// The reads since then.
    reads: u64,
    /// The atomics since then that access a variable: those that write it, and those that read it.
    atomics: [u64; 2],
}

/// Whether the order of the trace, without that of the `reversed` sections to others of their lock but with the
/// opposite, has a circle in `schedule`.
fn circle(kept: &Kept, schedule: &Clock, reversed: &[Reversed]) -> bool {
    let (Some(first), Some(last)) = (
        reversed.iter().map(|section| section.acquire).min(),
        reversed.iter().map(|section| section.release).max(),
    ) else {
        return false;
    };
    if reversed.len() > MAX_REVERSED {
        return true;
    }
    let Some(events) = kept.range(first, last) else {
        return true;
    };
    // Which of the reversed acquires come before a release that comes before the acquire of this index.
    let mut before = [0_u64; MAX_REVERSED];
    let mut threads: Vec<u64> = Vec::new();
    let mut orders: FxHashMap<(u8, u32), Order> = FxHashMap::default();
    for (number, &(event, position)) in events {
        if number.is_multiple_of(STOP_EVERY) && kept.stop.requested() {
            return true;
        }
        if position > schedule.get(event.thread) {
            continue;
        }
        let mut bits = *crate::predict::algorithms::analysis::entry(&mut threads, event.thread);
        if let Some(index) = reversed
            .iter()
            .position(|section| section.acquire == number)
        {
            bits |= 1 << index;
        }
        let key = match event.op.operand() {
            Operand::Variable => Some(0),
            Operand::Lock => Some(1),
            Operand::Condition => Some(2),
            Operand::Thread | Operand::Nothing => None,
        };
        if let Some(kind) = key {
            let order = orders.entry((kind, event.operand)).or_default();
            match event.op {
                Op::Read | Op::Wait | Op::Needs | Op::Load => {
                    bits |= order.write | order.atomics[0];
                    order.reads |= bits;
                }
                Op::Write | Op::Notify | Op::Store => {
                    bits |= order.write | order.reads;
                    bits |= order.atomics[0] | order.atomics[1];
                    *order = Order {
                        write: bits,
                        ..Order::default()
                    };
                }
                Op::AtomicRead => {
                    bits |= order.write;
                    order.atomics[1] |= bits;
                }
                Op::AtomicWrite => {
                    bits |= order.write | order.reads;
                    order.atomics[0] |= bits;
                }
                Op::Acquire => bits |= order.write,
                Op::Release => order.write |= bits,
                _ => {}
            }
        }
        match event.op {
            Op::Fork => {
                *crate::predict::algorithms::analysis::entry(&mut threads, event.operand) |= bits
            }
            Op::Join => {
                bits |= *crate::predict::algorithms::analysis::entry(&mut threads, event.operand)
            }
            _ => {}
        }
        threads[event.thread as usize] = bits;
        for (index, section) in reversed.iter().enumerate() {
            if section.release == number {
                before[index] = bits;
            }
        }
    }
    // Without a circle, something is always left that nothing else that is left comes before.
    let mut left = u64::MAX >> (64 - reversed.len());
    while left != 0 {
        let free = (0..reversed.len())
            .filter(|&index| left & 1 << index != 0 && before[index] & left == 0)
            .fold(0, |free, index| free | 1 << index);
        if free == 0 {
            return true;
        }
        left &= !free;
    }
    false
}

impl RaceAnalysis for Osr {
    fn feed(&mut self, event: Event) -> Option<Race> {
        let at = self.totals.place(&event);
        let other = event.op.access().map(|how| {
            let access = (event.thread, how, event.operand);
            self.pairs
                .access(&mut self.ideals, &mut &self.kept, access, at)
        });
        self.ideals.feed(&event);
        self.kept.push(event);
        self.totals.race(&event, at, other.flatten().map(Some))
    }

    fn finish(&self) -> Totals {
        self.totals
    }

    fn bytes(&self) -> u64 {
        let kept = self.kept.events.capacity() * size_of::<(Event, u32)>();
        self.ideals.bytes() + self.pairs.bytes() + kept as u64
    }

    fn stop_when(&mut self, stop: Stop) {
        self.kept.stop = stop.clone();
        self.pairs.stop = stop;
    }
}
