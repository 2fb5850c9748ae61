//! Which accesses of a variable a later one could still race with, for orders that are transitive.
//!
//! Not all have to be kept, and still every racing access is found, not only the first: an access that is ordered
//! before a write `w` needs no entry of its own. A later access that `w` is ordered before is ordered after both, and
//! one that `w` is not ordered before races with `w`. A read stands for earlier reads in the same way, as no access
//! races with the earlier read only. What is kept is therefore pairwise unordered, at most one of each thread, and one
//! entry in a trace without races, as in FastTrack (Flanagan and Freund, PLDI 2009).

use super::analysis::Place;
use super::clock::Clock;
use super::event::Op;
use smallvec::SmallVec;

/// An access, by its thread at its time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Access {
    pub(super) thread: u32,
    pub(super) time: u32,
    pub(super) place: Place,
}

impl Access {
    #[inline]
    fn before(&self, clock: &Clock) -> bool {
        self.time <= clock.get(self.thread)
    }
}

/// The accesses of one variable.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    writes: SmallVec<[Access; 1]>,
    reads: SmallVec<[Access; 1]>,
}

fn unordered(kept: &[Access], clock: &Clock) -> Option<Place> {
    kept.iter()
        .find(|access| !access.before(clock))
        .map(|access| access.place)
}

/// Drops what is before `clock`, and says what is left first.
#[inline]
fn prune(kept: &mut SmallVec<[Access; 1]>, clock: &Clock) -> Option<Place> {
    match kept.as_slice() {
        [] => {}
        [only] if only.before(clock) => kept.clear(),
        _ => kept.retain(|access| !access.before(clock)),
    }
    kept.first().map(|access| access.place)
}

/// Adds an access that knows `clock`, in place of those before it. Says what is left first of the others.
#[inline]
fn replace(kept: &mut SmallVec<[Access; 1]>, clock: &Clock, by: Access) -> Option<Place> {
    if let [only] = kept.as_mut_slice()
        && only.before(clock)
    {
        *only = by;
        return None;
    }
    let left = prune(kept, clock);
    kept.push(by);
    left
}

impl History {
    /// Adds an access by `thread`, which knows `clock`, itself included. Says what it races with, if anything.
    #[inline]
    pub(super) fn access(
        &mut self,
        op: Op,
        thread: u32,
        clock: &Clock,
        place: Place,
    ) -> Option<Place> {
        let now = Access {
            thread,
            time: clock.get(thread),
            place,
        };
        if op == Op::Read {
            let racing = unordered(&self.writes, clock);
            if let [last] = self.reads.as_slice()
                && (last.thread, last.time) == (thread, now.time)
            {
                return racing;
            }
            replace(&mut self.reads, clock, now);
            return racing;
        }
        let read = prune(&mut self.reads, clock);
        replace(&mut self.writes, clock, now).or(read)
    }
}
