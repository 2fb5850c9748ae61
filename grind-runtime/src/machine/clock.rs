//! Virtual time: it advances with work done, and jumps ahead when everyone waits.

use crate::model::ThreadId;
use std::collections::BTreeSet;

/// Nanoseconds that a word of the ring stands for. Near enough to native speed for time-outs to keep their
/// proportion to work.
const PER_WORD: u64 = 1;

/// Nanoseconds that a hook or host call stands for.
const PER_CALL: u64 = 50;

/// Nanoseconds that a unit of fuel stands for, which is about an instruction. Fuel counts where it was used up, so that a loop without
/// accesses lets time pass as well.
const PER_FUEL: u64 = 1;

/// Nanoseconds since the run began, and who wants to be woken when.
#[derive(Debug, Default)]
pub(super) struct Clock {
    now: u64,
    /// How much of that passed by work.
    worked: u64,
    deadlines: BTreeSet<(u64, ThreadId)>,
}

impl Clock {
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// Nanoseconds of work so far: without those that passed while everyone waited.
    pub(super) fn worked(&self) -> u64 {
        self.worked
    }

    pub(super) fn recorded(&mut self, words: u64) {
        self.work(words * PER_WORD);
    }

    pub(super) fn call(&mut self) {
        self.work(PER_CALL);
    }

    pub(super) fn burned(&mut self, fuel: u64) {
        self.work(fuel.saturating_mul(PER_FUEL));
    }

    pub(super) fn work(&mut self, nanoseconds: u64) {
        self.now = self.now.saturating_add(nanoseconds);
        self.worked = self.worked.saturating_add(nanoseconds);
    }

    /// The time `timeout` nanoseconds from now.
    pub(super) fn after(&self, timeout: u64) -> u64 {
        self.now.saturating_add(timeout)
    }

    pub(super) fn arm(&mut self, deadline: u64, thread: ThreadId) {
        self.deadlines.insert((deadline, thread));
    }

    pub(super) fn disarm(&mut self, deadline: u64, thread: ThreadId) {
        self.deadlines.remove(&(deadline, thread));
    }

    /// Takes the earliest thread whose deadline has passed.
    pub(super) fn expired(&mut self) -> Option<ThreadId> {
        let &(deadline, _) = self.deadlines.first()?;
        if deadline > self.now {
            return None;
        }
        self.deadlines.pop_first().map(|(_, thread)| thread)
    }

    /// The earliest deadline, or now if that has passed.
    pub(super) fn next(&self) -> Option<u64> {
        let &(deadline, _) = self.deadlines.first()?;
        Some(deadline.max(self.now))
    }

    /// Jumps to the earliest deadline; false if there is none.
    pub(super) fn jump(&mut self) -> bool {
        let Some(deadline) = self.next() else {
            return false;
        };
        self.now = deadline;
        true
    }

    /// Lets time pass to this point, while everyone waits.
    pub(super) fn pass_to(&mut self, until: u64) {
        self.now = self.now.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_expire_in_order_and_ties_by_thread() {
        let mut clock = Clock::default();
        clock.arm(100, ThreadId(2));
        clock.arm(100, ThreadId(1));
        clock.arm(50, ThreadId(3));
        assert_eq!(clock.expired(), None);
        assert!(clock.jump());
        assert_eq!(clock.now(), 50);
        assert_eq!(clock.expired(), Some(ThreadId(3)));
        assert!(clock.jump());
        assert_eq!(clock.expired(), Some(ThreadId(1)));
        assert_eq!(clock.expired(), Some(ThreadId(2)));
        assert!(!clock.jump());
    }

    #[test]
    fn a_disarmed_deadline_does_not_expire() {
        let mut clock = Clock::default();
        clock.arm(10, ThreadId(1));
        clock.disarm(10, ThreadId(1));
        clock.work(20);
        assert_eq!(clock.expired(), None);
    }

    #[test]
    fn time_that_passes_while_everyone_waits_is_no_work() {
        let mut clock = Clock::default();
        clock.burned(7);
        clock.pass_to(20);
        clock.pass_to(10);
        assert_eq!((clock.now(), clock.worked()), (20, 7 * PER_FUEL));
    }

    #[test]
    fn time_never_runs_over() {
        let clock = Clock::default();
        assert_eq!(clock.after(u64::MAX), u64::MAX);
    }
}
