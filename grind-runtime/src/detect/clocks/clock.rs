//! Vector clocks indexed by slot, and which thread a slot stands for.
//!
//! A *slot* is an index into every vector clock. A thread holds one from its creation to its end. Slots
//! are few because shadow memory spends 11 bits on them, so they are reused, and exactly: a new thread
//! takes the slot of an ended one only when its creator's clock covers that thread's final clock. Then
//! everything the old owner did happens before everything the new one does, the slot's clock goes on
//! counting, and comparing an epoch with a clock needs no knowledge of owners. Where a report needs the
//! thread, [`Slots::owner`] has it from the slot and the clock value.
//!
//! Vector clocks: Mattern, *Virtual time and global states of distributed systems* (1989); Fidge (1988).

use crate::model::ThreadId;

/// How many slots shadow memory can tell apart.
pub(in crate::detect) const MAX_SLOTS: u32 = 1 << 11;

/// The highest clock value in use. The one above stands for "no epoch" in the drain loop.
pub(in crate::detect) const MAX_CLOCK: u32 = u32::MAX - 1;

/// Index into vector clocks; below [`MAX_SLOTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::detect) struct Slot(pub(in crate::detect) u16);

/// One clock per slot. A slot beyond the end counts as 0: nothing of it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::detect) struct VectorClock(Vec<u32>);

impl VectorClock {
    /// What is known of `slot`.
    #[inline]
    pub(in crate::detect) fn get(&self, slot: Slot) -> u32 {
        self.0.get(usize::from(slot.0)).copied().unwrap_or(0)
    }

    /// Sets the clock of `slot`.
    pub(in crate::detect) fn set(&mut self, slot: Slot, clock: u32) {
        let index = usize::from(slot.0);
        if index >= self.0.len() {
            self.0.resize(index + 1, 0);
        }
        self.0[index] = clock;
    }

    /// Learns everything that `other` knows.
    pub(in crate::detect) fn join(&mut self, other: &VectorClock) {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }
}

/// Who held which slot from which clock value on.
#[derive(Debug)]
pub(in crate::detect) struct Slots {
    /// Per slot: first clock value and owner, ascending.
    owners: Vec<Vec<(u32, ThreadId)>>,
    /// Slots whose thread ended, with its final clock value.
    ended: Vec<(Slot, u32)>,
    limit: u32,
    clock_limit: u32,
}

impl Slots {
    /// At most `limit` slots, capped at [`MAX_SLOTS`], whose clocks go up to `clock_limit`, capped at
    /// [`MAX_CLOCK`].
    pub(in crate::detect) fn new(limit: u32, clock_limit: u32) -> Self {
        Slots {
            owners: Vec::new(),
            ended: Vec::new(),
            limit: limit.clamp(1, MAX_SLOTS),
            clock_limit: clock_limit.clamp(1, MAX_CLOCK),
        }
    }

    /// How many slots there can be.
    pub(in crate::detect) fn limit(&self) -> u32 {
        self.limit
    }

    /// The highest clock value.
    pub(in crate::detect) fn clock_limit(&self) -> u32 {
        self.clock_limit
    }

    /// A slot for `thread`, created by a thread that knows `creator`, and its first clock value.
    /// None if all slots are taken and none may be reused.
    pub(in crate::detect) fn take(
        &mut self,
        creator: &VectorClock,
        thread: ThreadId,
    ) -> Option<(Slot, u32)> {
        let reusable = (0..self.ended.len())
            .filter(|&index| {
                let (slot, last) = self.ended[index];
                last < self.clock_limit && creator.get(slot) >= last
            })
            .min_by_key(|&index| self.ended[index].0);
        let (slot, first) = if let Some(index) = reusable {
            let (slot, last) = self.ended.swap_remove(index);
            (slot, last + 1)
        } else {
            let next = self.owners.len() as u32;
            if next >= self.limit {
                return None;
            }
            self.owners.push(Vec::new());
            (Slot(next as u16), 1)
        };
        self.owners[usize::from(slot.0)].push((first, thread));
        Some((slot, first))
    }

    /// Whether there is one live thread, and it, with this clock, knows all that others ever did.
    #[inline]
    pub(in crate::detect) fn alone(&self, clock: &VectorClock) -> bool {
        let known = |&(slot, last): &(Slot, u32)| clock.get(slot) >= last;
        self.owners.len() == self.ended.len() + 1 && self.ended.iter().all(known)
    }

    /// The owner of `slot` ended; its last epoch is `last`.
    pub(in crate::detect) fn end(&mut self, slot: Slot, last: u32) {
        self.ended.push((slot, last));
    }

    /// The thread that held `slot` when its clock was `clock`.
    ///
    /// # Panics
    /// If nobody did.
    pub(in crate::detect) fn owner(&self, slot: Slot, clock: u32) -> ThreadId {
        let owners = &self.owners[usize::from(slot.0)];
        let after = owners.partition_point(|&(first, _)| first <= clock);
        owners[after - 1].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(entries: &[u32]) -> VectorClock {
        VectorClock(entries.to_vec())
    }

    #[test]
    fn join_takes_the_maximum_and_grows() {
        let mut a = clock(&[3, 1]);
        a.join(&clock(&[2, 5, 7]));
        assert_eq!(a, clock(&[3, 5, 7]));
        a.join(&clock(&[9]));
        assert_eq!(a, clock(&[9, 5, 7]));
        assert_eq!(a.get(Slot(40)), 0);
    }

    #[test]
    fn a_slot_is_reused_only_by_who_knows_its_end() {
        let mut slots = Slots::new(3, MAX_CLOCK);
        let none = VectorClock::default();
        assert_eq!(slots.take(&none, ThreadId(0)), Some((Slot(0), 1)));
        assert_eq!(slots.take(&none, ThreadId(1)), Some((Slot(1), 1)));
        slots.end(Slot(1), 8);
        // Knows of it, but not all.
        assert_eq!(slots.take(&clock(&[4, 7]), ThreadId(2)), Some((Slot(2), 1)));
        // Knows its end.
        assert_eq!(slots.take(&clock(&[4, 8]), ThreadId(3)), Some((Slot(1), 9)));
        assert_eq!(slots.take(&clock(&[4, 9]), ThreadId(4)), None);
        assert_eq!(slots.owner(Slot(1), 8), ThreadId(1));
        assert_eq!(slots.owner(Slot(1), 9), ThreadId(3));
        assert_eq!(slots.owner(Slot(1), 900), ThreadId(3));
    }

    #[test]
    fn a_slot_whose_clock_ran_out_is_not_reused() {
        let mut slots = Slots::new(1, 8);
        assert!(slots.take(&VectorClock::default(), ThreadId(0)).is_some());
        slots.end(Slot(0), 8);
        assert_eq!(slots.take(&clock(&[8]), ThreadId(1)), None);
    }
}
