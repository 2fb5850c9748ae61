//! What a scheduler decided, kept while a run goes, so that the run can be repeated whatever made the decisions.

use super::{Point, Scheduler};
use crate::model::bytes::{Bytes, put};
use crate::model::{Slice, ThreadId};
use std::vec;

/// Bytes of decisions that are kept. Most take three: a thread, its words, and how often it was let go on before.
pub(crate) const KEPT: usize = 64 << 20;

/// The decisions of a run, in order.
#[derive(Debug, Default)]
pub(crate) struct Decisions {
    /// Each change of who runs, or for how long, as three varints: how often the current thread kept its slice before, the
    /// thread, its words.
    slices: Vec<u8>,
    /// Random bits for the guest.
    random: Vec<u64>,
    overflown: bool,
}

impl Decisions {
    /// Whether all are there. Beyond 64 MiB none is kept, and the run cannot be repeated.
    pub(crate) fn complete(&self) -> bool {
        !self.overflown
    }

    fn slice(&mut self, kept: u64, slice: Slice) {
        if self.has_room() {
            for number in [kept, slice.thread.0.into(), slice.words.into()] {
                put(&mut self.slices, number);
            }
        }
    }

    fn random(&mut self, bits: u64) {
        if self.has_room() {
            self.random.push(bits);
        }
    }

    fn has_room(&mut self) -> bool {
        if self.slices.len() + size_of::<u64>() * self.random.len() >= KEPT {
            *self = Decisions {
                overflown: true,
                ..Decisions::default()
            };
        }
        !self.overflown
    }
}

/// Passes every question on, and keeps the answers.
#[derive(Debug)]
pub(crate) struct Logged {
    scheduler: Box<dyn Scheduler>,
    decisions: Decisions,
    /// Points since the last change at which the current thread kept its slice.
    kept: u64,
}

impl Logged {
    pub(crate) fn new(scheduler: Box<dyn Scheduler>) -> Logged {
        Logged {
            scheduler,
            decisions: Decisions::default(),
            kept: 0,
        }
    }

    pub(crate) fn into_decisions(self) -> Decisions {
        self.decisions
    }
}

impl Scheduler for Logged {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        let slice = self.scheduler.next(point);
        if point.keeps(slice) {
            self.kept += 1;
        } else {
            self.decisions.slice(std::mem::take(&mut self.kept), slice);
        }
        slice
    }

    fn random(&mut self) -> u64 {
        let bits = self.scheduler.random();
        self.decisions.random(bits);
        bits
    }
}

/// Decides as it was decided. Behind the last decision the current thread goes on.
#[derive(Debug)]
pub(crate) struct Replayed {
    slices: Vec<u8>,
    /// How many bytes of them were read.
    read: usize,
    random: vec::IntoIter<u64>,
    /// The next change, and after how many points more.
    next: Option<(u64, Slice)>,
}

impl Replayed {
    pub(crate) fn new(decisions: Decisions) -> Replayed {
        let mut replayed = Replayed {
            slices: decisions.slices,
            read: 0,
            random: decisions.random.into_iter(),
            next: None,
        };
        replayed.advance();
        replayed
    }

    fn advance(&mut self) {
        let mut bytes = Bytes::new(&self.slices[self.read..]);
        self.next = change(&mut bytes);
        self.read = self.slices.len() - bytes.len();
    }
}

/// The next change, and how often the current thread keeps its slice before.
fn change(bytes: &mut Bytes<'_>) -> Option<(u64, Slice)> {
    let kept = bytes.varint()?;
    let thread = ThreadId(bytes.u32()?);
    let words = bytes.u32()?;
    Some((kept, Slice { thread, words }))
}

impl Scheduler for Replayed {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        match &mut self.next {
            Some((0, slice)) => {
                let slice = *slice;
                self.advance();
                slice
            }
            next => {
                if let Some((kept, _)) = next {
                    *kept -= 1;
                }
                Slice {
                    thread: point.current.unwrap_or(point.runnable[0]),
                    words: point.remaining.max(1),
                }
            }
        }
    }

    fn random(&mut self) -> u64 {
        self.random.next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Strategy;
    use crate::schedule::{PointKind, Unknown};

    fn point(current: Option<u32>, remaining: u32, runnable: &[ThreadId]) -> Point<'_> {
        Point {
            kind: match current {
                Some(_) => PointKind::Sync,
                None => PointKind::Blocked,
            },
            current: current.map(ThreadId),
            remaining,
            runnable,
            threads: &Unknown,
        }
    }

    #[test]
    fn every_decision_comes_again() {
        let threads: Vec<ThreadId> = (0..200).map(ThreadId).collect();
        let ask = |scheduler: &mut dyn Scheduler| {
            let mut slice = scheduler.next(&point(None, 0, &threads));
            let mut all = vec![(slice, scheduler.random())];
            for round in 0..5000 {
                let remaining = slice.words.saturating_sub(round % 7);
                slice = scheduler.next(&point(Some(slice.thread.0), remaining, &threads));
                let bits = if round % 3 == 0 {
                    scheduler.random()
                } else {
                    0
                };
                all.push((slice, bits));
            }
            all
        };
        for &(strategy, ..) in Strategy::ALL {
            let mut logged = Logged::new(strategy.scheduler(5));
            let first = ask(&mut logged);
            let decisions = logged.into_decisions();
            assert!(decisions.complete());
            assert_eq!(ask(&mut Replayed::new(decisions)), first, "{strategy:?}");
        }
    }

    #[test]
    fn beyond_the_limit_none_is_kept() {
        let mut decisions = Decisions::default();
        for bits in 0..KEPT as u64 / 8 {
            decisions.random(bits);
        }
        assert!(decisions.complete());
        decisions.random(1);
        decisions.random(2);
        assert!(!decisions.complete());
        assert!(decisions.random.is_empty());
    }
}
