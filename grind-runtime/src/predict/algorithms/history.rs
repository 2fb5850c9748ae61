//! Which accesses of a variable a later one could still race with, for orders that are transitive.
//!
//! Not all have to be kept, and still every racing access is found, not only the first: an access that is ordered
//! before a write `w` needs no entry of its own. A later access that `w` is ordered before is ordered after both, and
//! one that `w` is not ordered before races with `w`. A read stands for earlier reads in the same way, as no access
//! races with the earlier read only. What is kept is therefore pairwise unordered, at most one of each thread, and one
//! entry in a trace without races, as in FastTrack (Flanagan and Freund, PLDI 2009).
//!
//! Atomics do not race with each other, so they are kept apart: one stands for earlier atomics only, and a plain access for
//! earlier accesses of both kinds.

use crate::predict::algorithms::analysis::Place;
use crate::predict::algorithms::clock::Clock;
use crate::predict::algorithms::event::Accessing;
use smallvec::SmallVec;

/// An access, by its thread at its time.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::predict) struct Access {
    pub(in crate::predict) thread: u32,
    pub(in crate::predict) time: u32,
    pub(in crate::predict) place: Place,
}

impl Access {
    #[inline]
    fn before(&self, clock: &Clock) -> bool {
        self.time <= clock.get(self.thread)
    }
}

/// Accesses of which a later one could still race with each: pairwise unordered.
type Kept = SmallVec<[Access; 1]>;

/// The accesses of one variable.
#[derive(Clone, Debug, Default)]
pub(in crate::predict) struct History {
    writes: Kept,
    reads: Kept,
    /// Most variables have none.
    atomic: Option<Box<Atomics>>,
}

#[derive(Clone, Debug, Default)]
struct Atomics {
    writes: Kept,
    reads: Kept,
}

fn unordered(kept: &[Access], clock: &Clock) -> Option<Place> {
    kept.iter()
        .find(|access| !access.before(clock))
        .map(|access| access.place)
}

/// Drops what is before `clock`, and says what is left first.
#[inline]
fn prune(kept: &mut Kept, clock: &Clock) -> Option<Place> {
    match kept.as_slice() {
        [] => {}
        [only] if only.before(clock) => kept.clear(),
        _ => kept.retain(|access| !access.before(clock)),
    }
    kept.first().map(|access| access.place)
}

/// Adds an access that knows `clock`, in place of those before it. Says what is left first of the others. `bytes` counts the
/// memory that it takes.
#[inline]
fn replace(kept: &mut Kept, clock: &Clock, by: Access, bytes: &mut u64) -> Option<Place> {
    if let [only] = kept.as_mut_slice()
        && only.before(clock)
    {
        *only = by;
        return None;
    }
    let left = prune(kept, clock);
    let before = kept.capacity();
    kept.push(by);
    *bytes += ((kept.capacity() - before) * size_of::<Access>()) as u64;
    left
}

impl History {
    /// Adds an access by `thread`, which knows `clock`, itself included. Says what it races with, if anything. `bytes` counts
    /// the memory that it takes beyond the history itself.
    #[inline]
    pub(in crate::predict) fn access(
        &mut self,
        how: Accessing,
        thread: u32,
        clock: &Clock,
        place: Place,
        bytes: &mut u64,
    ) -> Option<Place> {
        let now = Access {
            thread,
            time: clock.get(thread),
            place,
        };
        if how.atomic || self.atomic.is_some() {
            return self.with_atomics(how, clock, now, bytes);
        }
        if !how.write {
            let racing = unordered(&self.writes, clock);
            if let [last] = self.reads.as_slice()
                && (last.thread, last.time) == (thread, now.time)
            {
                return racing;
            }
            replace(&mut self.reads, clock, now, bytes);
            return racing;
        }
        let read = prune(&mut self.reads, clock);
        replace(&mut self.writes, clock, now, bytes).or(read)
    }

    /// The same of a variable that atomics access.
    #[cold]
    fn with_atomics(
        &mut self,
        how: Accessing,
        clock: &Clock,
        now: Access,
        bytes: &mut u64,
    ) -> Option<Place> {
        if self.atomic.is_none() {
            *bytes += size_of::<Atomics>() as u64;
        }
        let History {
            writes,
            reads,
            atomic,
        } = self;
        let atomic = &mut **atomic.get_or_insert_default();
        match (how.atomic, how.write) {
            (false, false) => {
                let racing = unordered(writes, clock).or(unordered(&atomic.writes, clock));
                prune(&mut atomic.reads, clock);
                replace(reads, clock, now, bytes);
                racing
            }
            (false, true) => {
                let read = prune(reads, clock);
                let atomics = prune(&mut atomic.writes, clock);
                let atomics = atomics.or(prune(&mut atomic.reads, clock));
                replace(writes, clock, now, bytes).or(read).or(atomics)
            }
            (true, false) => {
                replace(&mut atomic.reads, clock, now, bytes);
                unordered(writes, clock)
            }
            (true, true) => {
                prune(&mut atomic.reads, clock);
                replace(&mut atomic.writes, clock, now, bytes);
                unordered(writes, clock).or(unordered(reads, clock))
            }
        }
    }
}
