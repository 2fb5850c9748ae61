//! Deadlocks of two threads that a schedule in the same lock order reaches: Tunç, Mathur, Pavlogiannis and Viswanathan,
//! *Sound Dynamic Deadlock Prediction in Linear Time*, PLDI 2023.
//!
//! Two acquires, by two threads, each of a lock that the other thread holds, with no lock held by both. It is asked, as
//! in [`crate::predict::algorithms::syncp`], whether a schedule reaches both that takes every lock in the order of the trace.
//!
//! **Finds** all such pairs, up to the limits below.
//!
//! **Misses** deadlocks of more than two threads ([`crate::predict::algorithms::lock_graph`] has candidates), those whose schedules swap
//! sections of another lock, and those of acquires that the trace does not have, as it ended in them. Beyond 2^16
//! acquires by one thread of one lock while holding the same others, later ones are not paired with still later ones;
//! beyond 64 partners of one acquire, more are not reported.
//!
//! **Never reports falsely**: every deadlock can be made by a schedule in which every thread reads the same values up
//! to it.
//!
//! **Cost**: time by the locks held and the acquires that could be partners. Memory grows with the acquires, 100 bytes
//! each, and 24 for nested ones.

use crate::predict::algorithms::analysis::{Place, Stop, entry, table_bytes};
use crate::predict::algorithms::clock::Clock;
use crate::predict::algorithms::event::{Event, MAX_THREADS, Op};
use crate::predict::algorithms::ideal::{Ideals, Point};
use crate::predict::algorithms::lock_graph::{Wish, Wishes};
use smallvec::SmallVec;

/// Acquires of one kind that later ones are paired with.
const MAX_OF_KIND: usize = 1 << 16;

/// Pairs that are reported of one acquire.
const MAX_PARTNERS: usize = 64;

/// Two acquires that can block each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// The later acquire in the trace.
    pub at: Place,
    /// The lock it is of, which the other thread holds.
    pub lock: u32,
    /// The earlier acquire.
    pub other: Place,
    /// The lock it is of, which the thread of the later one holds.
    pub other_lock: u32,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct DeadlockPrediction {
    ideals: Ideals,
    wishes: Wishes,
    /// By wish.
    kinds: Vec<Kind>,
    /// By lock: the wishes for it.
    of_lock: Vec<Vec<u32>>,
    schedule: Clock,
    number: u32,
    stop: Stop,
    /// Bytes of the kinds.
    grown: u64,
}

/// The acquires that are the same wish.
#[derive(Clone, Debug, Default)]
struct Kind {
    acquires: Vec<(Point, Place)>,
    /// By other thread: so many of them are in every schedule that reaches its next event.
    contained: SmallVec<[u32; 8]>,
}

impl DeadlockPrediction {
    /// About how many bytes of memory it takes by now.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let kinds = (size_of::<Kind>() + size_of::<Wish>()) as u64 * self.kinds.len() as u64;
        self.ideals.bytes() + table_bytes(&self.of_lock) + kinds + self.grown
    }

    /// See [`crate::predict::algorithms::RaceAnalysis::stop_when`].
    pub fn stop_when(&mut self, stop: Stop) {
        self.stop = stop;
    }

    /// Takes the next event, and gives `found` every deadlock of it and an earlier one.
    pub fn feed(&mut self, event: Event, found: impl FnMut(Deadlock)) {
        if event.op == Op::Acquire {
            let place = Place {
                number: self.number + 1,
                location: event.location,
            };
            self.acquire(&event, place, found);
        }
        self.follow(event);
    }

    /// Takes the next event, which waits for nobody even if it is an acquire, as one that could have failed.
    pub fn follow(&mut self, event: Event) {
        self.number += 1;
        self.ideals.feed(&event);
    }

    fn acquire(&mut self, event: &Event, at: Place, mut found: impl FnMut(Deadlock)) {
        let now = self.ideals.point(event.thread);
        let wish = Wish::new(event.thread, event.operand, self.ideals.held(event.thread));
        if wish.held.is_empty() {
            return;
        }
        let mut reported = 0;
        for &held in &wish.held {
            let Some(candidates) = self.of_lock.get(held as usize) else {
                continue;
            };
            for &candidate in candidates {
                let other = self.wishes.get(candidate);
                // That this thread holds what the other wants is how it was found.
                if !other.blocks(&wish) {
                    continue;
                }
                let kind = &mut self.kinds[candidate as usize];
                let before = kind.contained.capacity();
                kind.partners(
                    (&self.ideals, &self.stop),
                    &mut self.schedule,
                    now,
                    event.thread,
                    other,
                    |other| {
                        reported += 1;
                        if reported <= MAX_PARTNERS {
                            found(Deadlock {
                                at,
                                lock: event.operand,
                                other,
                                other_lock: held,
                            });
                        }
                        reported < MAX_PARTNERS
                    },
                );
                let more = kind.contained.capacity() - before;
                self.grown += (more * size_of::<u32>()) as u64;
            }
        }
        let (index, new) = self.wishes.number(wish);
        if new {
            entry(&mut self.of_lock, event.operand).push(index);
        }
        let kind = entry(&mut self.kinds, index);
        if kind.acquires.len() < MAX_OF_KIND {
            kind.acquires.push((now, at));
            self.grown += size_of::<(Point, Place)>() as u64;
        }
    }
}

impl Kind {
    /// Gives `found` those that a schedule reaches together with `now`, of `thread`, as long as it says to go on.
    fn partners(
        &mut self,
        (ideals, stop): (&Ideals, &Stop),
        schedule: &mut Clock,
        now: Point,
        thread: u32,
        wish: &Wish,
        mut found: impl FnMut(Place) -> bool,
    ) {
        debug_assert!(thread < MAX_THREADS);
        if self.contained.len() <= thread as usize {
            self.contained.resize(thread as usize + 1, 0);
        }
        let contained = &mut self.contained[thread as usize];
        let mut next = *contained;
        let mut known = ideals.known(thread, wish.thread);
        schedule.clear();
        ideals.add(schedule, now);
        while let Some(&(point, place)) = self.acquires.get(next as usize) {
            if point.position() >= known {
                if stop.requested() {
                    return;
                }
                // What an earlier acquire and this thread need, a later one and it need, too.
                ideals.add(schedule, point);
                ideals.close(schedule);
                known = schedule.get(wish.thread);
            }
            if point.position() < known {
                *contained += u32::from(*contained == next);
            } else if !found(place) {
                return;
            }
            next += 1;
        }
    }
}
