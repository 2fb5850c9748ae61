//! What a scheduler decided, kept while a run goes, so that the run can be repeated whatever made the decisions.

use super::{Point, Scheduler};
use crate::model::{Change, Decisions, Slice};
use std::sync::Arc;

/// Bytes of decisions that are kept. Most changes take three.
pub(crate) const KEPT: usize = 64 << 20;

/// Passes every question on, and keeps the answers.
#[derive(Debug)]
pub(crate) struct Logged {
    scheduler: Box<dyn Scheduler>,
    /// None beyond the limit.
    decisions: Option<Decisions>,
    /// Points since the last change at which the current thread kept its slice.
    kept: u64,
}

impl Logged {
    pub(crate) fn new(scheduler: Box<dyn Scheduler>) -> Logged {
        Logged {
            scheduler,
            decisions: Some(Decisions::default()),
            kept: 0,
        }
    }

    /// None if they take more than [`KEPT`], so that the run cannot be repeated.
    pub(crate) fn into_decisions(self) -> Option<Decisions> {
        self.decisions
    }

    fn keep(&mut self, add: impl FnOnce(&mut Decisions)) {
        match &mut self.decisions {
            Some(decisions) if decisions.size() < KEPT => add(decisions),
            decisions => *decisions = None,
        }
    }
}

impl Scheduler for Logged {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        let slice = self.scheduler.next(point);
        if point.keeps(slice) {
            self.kept += 1;
        } else {
            let kept = std::mem::take(&mut self.kept);
            self.keep(|decisions| decisions.push(Change { kept, slice }));
        }
        slice
    }

    fn random(&mut self) -> u64 {
        let bits = self.scheduler.random();
        self.keep(|decisions| decisions.push_random(bits));
        bits
    }
}

/// Decides as it was decided. Behind the last decision the current thread goes on, and where it cannot, the first that can.
#[derive(Debug)]
pub(crate) struct Replayed {
    decisions: Arc<Decisions>,
    /// Where the change behind the next is.
    at: usize,
    /// How many random numbers were given.
    randoms: usize,
    next: Option<Change>,
}

impl Replayed {
    pub(crate) fn new(decisions: Arc<Decisions>) -> Replayed {
        let mut replayed = Replayed {
            decisions,
            at: 0,
            randoms: 0,
            next: None,
        };
        replayed.advance();
        replayed
    }

    fn advance(&mut self) {
        self.next = self.decisions.change(self.at).map(|(change, next)| {
            self.at = next;
            change
        });
    }
}

impl Scheduler for Replayed {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        match &mut self.next {
            Some(Change { kept: 0, slice }) => {
                let slice = *slice;
                self.advance();
                slice
            }
            next => {
                if let Some(change) = next {
                    change.kept -= 1;
                }
                let current = point
                    .current
                    .filter(|thread| point.runnable.contains(thread));
                Slice {
                    thread: current.unwrap_or(point.runnable[0]),
                    words: point.remaining.max(1),
                }
            }
        }
    }

    fn random(&mut self) -> u64 {
        let bits = self.decisions.random().get(self.randoms);
        self.randoms += 1;
        bits.copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ThreadId;
    use crate::schedule::{PointKind, Random, STRATEGIES, Unknown};

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
        for row in STRATEGIES {
            let mut logged = Logged::new(row.scheduler(5));
            let first = ask(&mut logged);
            let decisions = logged.into_decisions().expect("few");
            let again = ask(&mut Replayed::new(Arc::new(decisions)));
            assert_eq!(again, first, "{}", row.name);
        }
    }

    #[test]
    fn beyond_the_limit_none_is_kept() {
        let mut logged = Logged::new(Box::new(Random::new(0)));
        for _ in 0..KEPT / 8 {
            logged.random();
        }
        assert!(logged.decisions.is_some());
        logged.random();
        logged.random();
        assert!(logged.into_decisions().is_none());
    }

    #[test]
    fn behind_the_last_decision_somebody_goes_on() {
        let mut replayed = Replayed::new(Arc::default());
        let threads = [ThreadId(1), ThreadId(3)];
        let mut who = |current| {
            let slice = replayed.next(&point(current, 7, &threads));
            (slice.thread.0, slice.words)
        };
        assert_eq!(who(Some(3)), (3, 7));
        assert_eq!(who(Some(2)), (1, 7));
        assert_eq!(who(None), (1, 7));
    }
}
