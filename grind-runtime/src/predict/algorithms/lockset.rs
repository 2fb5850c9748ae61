//! Variables that no lock protects throughout: Savage, Burrows, Nelson, Sobalvarro and Anderson, *Eraser*, 1997.
//!
//! The candidates of a variable are the locks that were held at all of its accesses; atomics hold one of their own. It is reported at every access at
//! which there are none left.
//!
//! **Finds** variables whose accesses follow no locking discipline, in whatever order this schedule made them:
//! that they raced here, or that any predictable schedule makes them race, is not asked.
//!
//! **Misses**, with [`Discipline::States`], races between the first thread's accesses and those of the second; with
//! both, races of a variable whose accesses share a lock that was not always the same ([`crate::predict::algorithms::hb`] finds them).
//!
//! **Reports falsely** whatever is ordered by something other than a lock: fork, join, a hand-over. A hint where to
//! look, no proof.
//!
//! **Cost**: time by the locks held. Memory by variables and locks held, not by the length of the trace.

use crate::predict::algorithms::analysis::{Place, Race, RaceAnalysis, Totals, entry, table_bytes};
use crate::predict::algorithms::event::{Event, Op};
use smallvec::SmallVec;

/// Which variables need a lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discipline {
    /// Those that more than one thread accesses after at least one wrote, from the first access on. Each thread counts
    /// as holding a lock of its own.
    Pure,
    /// The states of the paper: what the first thread does before another comes (initialisation) is not looked at, and
    /// variables that are only read since then are not reported.
    #[default]
    States,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Lockset {
    discipline: Discipline,
    held: Vec<Locks>,
    variables: Vec<Variable>,
    totals: Totals,
}

type Locks = SmallVec<[u32; 4]>;

/// What atomics hold besides: nobody else does.
const ATOMICS: u32 = u32::MAX;

#[derive(Clone, Debug, Default)]
struct Variable {
    owner: Owner,
    /// Written, or with [`Discipline::States`]: written since it is shared.
    written: bool,
    candidates: Locks,
    /// The last access, and the last by another thread than that one's.
    last: [Option<(u32, Place)>; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Owner {
    /// Not accessed yet.
    #[default]
    Nobody,
    One(u32),
    Shared,
}

impl Lockset {
    /// An analysis that asks for `discipline`.
    pub fn new(discipline: Discipline) -> Self {
        Lockset {
            discipline,
            ..Lockset::default()
        }
    }
}

impl Variable {
    /// Whether an access by `thread` that holds `held` finds no lock left.
    #[inline]
    fn access(&mut self, discipline: Discipline, thread: u32, write: bool, held: &Locks) -> bool {
        let was = self.owner;
        self.owner = match was {
            Owner::Nobody => Owner::One(thread),
            Owner::One(owner) if owner == thread => was,
            Owner::One(_) | Owner::Shared => Owner::Shared,
        };
        let starts = match discipline {
            Discipline::Pure => was == Owner::Nobody,
            Discipline::States => was != Owner::Shared,
        };
        if starts {
            self.candidates.clone_from(held);
        } else {
            self.candidates.retain(|lock| held.contains(lock));
        }
        self.written |= write && (discipline == Discipline::Pure || self.owner == Owner::Shared);
        self.owner == Owner::Shared && self.written && self.candidates.is_empty()
    }
}

impl Variable {
    /// Remembers an access, and says which was the last by another thread.
    #[inline]
    fn remember(&mut self, thread: u32, at: Place) -> Option<Place> {
        match self.last[0] {
            Some((last, _)) if last != thread => self.last[1] = self.last[0],
            _ => {}
        }
        self.last[0] = Some((thread, at));
        self.last[1].map(|(_, place)| place)
    }
}

impl RaceAnalysis for Lockset {
    #[inline]
    fn feed(&mut self, event: Event) -> Option<Race> {
        let at = self.totals.place(&event);
        let held = entry(&mut self.held, event.thread);
        match event.op {
            Op::Acquire => held.push(event.operand),
            Op::Release => {
                if let Some(index) = held.iter().rposition(|&lock| lock == event.operand) {
                    held.remove(index);
                }
            }
            _ => {
                let how = event.op.access()?;
                let variable = entry(&mut self.variables, event.operand);
                held.extend(how.atomic.then_some(ATOMICS));
                let racy = variable.access(self.discipline, event.thread, how.write, held);
                if how.atomic {
                    held.pop();
                }
                let other = variable.remember(event.thread, at);
                return self.totals.race(&event, at, racy.then_some(other));
            }
        }
        None
    }

    fn finish(&self) -> Totals {
        self.totals
    }

    fn bytes(&self) -> u64 {
        table_bytes(&self.held) + table_bytes(&self.variables)
    }
}
