//! Whether a trace is one that threads with locks can make.
//!
//! The analyses believe their input: on a trace that no execution makes, what they say means nothing (but they do not
//! fail). So traces of unknown origin go through [`Checked`].
//!
//! **Cost**: constant per event but for the end, memory by threads and locks.

use crate::predict::algorithms::event::{Event, MAX_EVENTS, Op, ReadError, Source};
use smallvec::SmallVec;
use std::fmt;
use thiserror::Error;

/// What cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// An acquire of a lock that a thread holds, maybe the same.
    Held {
        /// By whom.
        by: u32,
    },
    /// A release of a lock that the thread does not hold.
    NotHeld,
    /// A release of a lock before one that was acquired later.
    NotNested {
        /// The lock acquired last.
        innermost: u32,
    },
    /// An event of a thread that is forked later.
    BeforeFork,
    /// A second fork of a thread.
    ForkedTwice,
    /// A thread forks or joins itself.
    Itself,
    /// An event of a thread that was joined.
    AfterJoin,
    /// A join of a thread that did nothing yet and was not forked.
    JoinedUnknown,
    /// A join of a thread that holds a lock.
    JoinedHolding {
        /// The lock.
        lock: u32,
    },
}

/// The first event that cannot be, with what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub struct Violation {
    /// Counted from 1.
    pub number: u64,
    /// The event.
    pub event: Event,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event {
            thread,
            operand,
            location,
            ..
        } = self.event;
        write!(
            f,
            "event {} (location {location}): thread {thread} ",
            self.number
        )?;
        match self.problem {
            Problem::Held { by } if by == thread => {
                write!(f, "acquires lock {operand}, which it holds already")
            }
            Problem::Held { by } => {
                write!(f, "acquires lock {operand}, which thread {by} holds")
            }
            Problem::NotHeld => write!(f, "releases lock {operand}, which it does not hold"),
            Problem::NotNested { innermost } => {
                write!(
                    f,
                    "releases lock {operand} before lock {innermost}, which it acquired later"
                )
            }
            Problem::BeforeFork => write!(f, "forks thread {operand}, which ran before"),
            Problem::ForkedTwice => write!(f, "forks thread {operand}, which was forked before"),
            Problem::Itself => write!(f, "forks or joins itself"),
            Problem::AfterJoin => write!(f, "runs after it was joined"),
            Problem::JoinedUnknown => {
                write!(f, "joins thread {operand}, of which nothing is known")
            }
            Problem::JoinedHolding { lock } => {
                write!(f, "joins thread {operand}, which still holds lock {lock}")
            }
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Thread {
    ran: bool,
    forked: bool,
    joined: bool,
    held: SmallVec<[u32; 4]>,
}

/// Checks events as they come.
#[derive(Clone, Debug, Default)]
pub struct WellFormed {
    any_nesting: bool,
    number: u64,
    threads: Vec<Thread>,
    /// Who holds it, plus 1.
    holders: Vec<u32>,
}

fn slot<T: Default + Clone>(table: &mut Vec<T>, index: u32) -> &mut T {
    let index = index as usize;
    if index >= table.len() {
        table.resize(index + 1, T::default());
    }
    &mut table[index]
}

impl WellFormed {
    /// Lets locks be released in any order, which [`crate::predict::algorithms::hb`], [`crate::predict::algorithms::shb`] and [`crate::predict::algorithms::lockset`] do not mind.
    #[must_use]
    pub fn any_nesting() -> Self {
        WellFormed {
            any_nesting: true,
            ..WellFormed::default()
        }
    }

    /// Checks the next event.
    ///
    /// # Errors
    /// What is wrong with it. Later events are not to be checked then.
    #[inline]
    pub fn check(&mut self, event: Event) -> Result<(), Violation> {
        self.number += 1;
        let number = self.number;
        self.problem(event).map_or(Ok(()), |problem| {
            Err(Violation {
                number,
                event,
                problem,
            })
        })
    }

    /// Checks the next event, and that there are not too many.
    ///
    /// # Errors
    /// [`ReadError::Malformed`], [`ReadError::TooMany`]. Later events are not to be checked then.
    #[inline]
    pub fn admit(&mut self, event: Event) -> Result<(), ReadError> {
        if self.number >= u64::from(MAX_EVENTS) {
            return Err(ReadError::TooMany {
                event: self.number + 1,
                what: "events",
                limit: MAX_EVENTS,
            });
        }
        Ok(self.check(event)?)
    }

    #[inline]
    fn problem(&mut self, event: Event) -> Option<Problem> {
        let thread = slot(&mut self.threads, event.thread);
        if thread.joined {
            return Some(Problem::AfterJoin);
        }
        thread.ran = true;
        match event.op {
            Op::Acquire => {
                let holder = slot(&mut self.holders, event.operand);
                if *holder > 0 {
                    return Some(Problem::Held { by: *holder - 1 });
                }
                *holder = event.thread + 1;
                thread.held.push(event.operand);
            }
            Op::Release => match thread.held.last() {
                Some(&last) if last == event.operand => {
                    thread.held.pop();
                    *slot(&mut self.holders, event.operand) = 0;
                }
                Some(&innermost) => {
                    let place = thread.held.iter().rposition(|&lock| lock == event.operand);
                    let Some(place) = place else {
                        return Some(Problem::NotHeld);
                    };
                    if !self.any_nesting {
                        return Some(Problem::NotNested { innermost });
                    }
                    thread.held.remove(place);
                    *slot(&mut self.holders, event.operand) = 0;
                }
                None => return Some(Problem::NotHeld),
            },
            Op::Fork | Op::Join if event.operand == event.thread => return Some(Problem::Itself),
            Op::Fork => {
                let child = slot(&mut self.threads, event.operand);
                if child.forked || child.joined {
                    return Some(Problem::ForkedTwice);
                }
                if child.ran {
                    return Some(Problem::BeforeFork);
                }
                child.forked = true;
            }
            Op::Join => {
                let child = slot(&mut self.threads, event.operand);
                if !child.ran && !child.forked {
                    return Some(Problem::JoinedUnknown);
                }
                if let Some(&lock) = child.held.last() {
                    return Some(Problem::JoinedHolding { lock });
                }
                child.joined = true;
            }
            Op::Read | Op::Write | Op::AtomicRead | Op::AtomicWrite => {}
            Op::Request | Op::Begin | Op::End => {}
            Op::Wait | Op::Needs | Op::Notify | Op::Load | Op::Store => {}
        }
        None
    }
}

/// A source whose events are checked on the way.
#[derive(Debug)]
pub struct Checked<S> {
    source: S,
    checker: WellFormed,
}

impl<S: Source> Checked<S> {
    /// Checks the events of `source`.
    pub fn new(source: S) -> Self {
        Checked::with(source, WellFormed::default())
    }

    /// Checks the events of `source` with this.
    pub fn with(source: S, checker: WellFormed) -> Self {
        Checked { source, checker }
    }

    /// The source.
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// The source, with what it knows after reading.
    pub fn into_inner(self) -> S {
        self.source
    }
}

impl<S: Source> Source for Checked<S> {
    fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        let Some(event) = self.source.next_event()? else {
            return Ok(None);
        };
        self.checker.admit(event)?;
        Ok(Some(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Op::{Acquire, Fork, Join, Read, Release};

    fn first(events: &[(u32, Op, u32)]) -> Option<(u64, Problem)> {
        let mut checker = WellFormed::default();
        events
            .iter()
            .find_map(|&(thread, op, operand)| checker.check(Event::new(thread, op, operand)).err())
            .map(|violation| (violation.number, violation.problem))
    }

    #[test]
    fn what_can_be_is_accepted() {
        let events = [
            (0, Fork, 1),
            (0, Acquire, 0),
            (0, Acquire, 1),
            (1, Read, 0),
            (0, Release, 1),
            (0, Release, 0),
            (1, Acquire, 0),
            (1, Release, 0),
            (0, Fork, 2),
            (0, Join, 2),
            (0, Join, 1),
        ];
        assert_eq!(first(&events), None);
    }

    #[test]
    fn the_first_violation_is_named() {
        type Case<'a> = (&'a [(u32, Op, u32)], u64, Problem);
        let cases: [Case<'_>; 9] = [
            (
                &[(0, Acquire, 0), (1, Acquire, 0)],
                2,
                Problem::Held { by: 0 },
            ),
            (
                &[(0, Acquire, 0), (0, Acquire, 0)],
                2,
                Problem::Held { by: 0 },
            ),
            (&[(0, Acquire, 0), (1, Release, 0)], 2, Problem::NotHeld),
            (
                &[(0, Acquire, 0), (0, Acquire, 1), (0, Release, 0)],
                3,
                Problem::NotNested { innermost: 1 },
            ),
            (&[(1, Read, 0), (0, Fork, 1)], 2, Problem::BeforeFork),
            (
                &[(0, Fork, 1), (1, Read, 0), (2, Fork, 1)],
                3,
                Problem::ForkedTwice,
            ),
            (&[(0, Join, 0)], 1, Problem::Itself),
            (
                &[(1, Read, 0), (0, Join, 1), (1, Read, 0)],
                3,
                Problem::AfterJoin,
            ),
            (
                &[(1, Acquire, 3), (0, Join, 1)],
                2,
                Problem::JoinedHolding { lock: 3 },
            ),
        ];
        for (events, number, problem) in cases {
            assert_eq!(first(events), Some((number, problem)), "{events:?}");
        }
        assert_eq!(first(&[(0, Join, 1)]), Some((1, Problem::JoinedUnknown)));
    }
}
