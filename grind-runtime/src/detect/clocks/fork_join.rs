//! Happens-before by the creation and the join of threads, the end of their scopes and barriers, and by nothing else.
//!
//! For what could have happened in another schedule: locks, atomics and wake-ups come in the order that this
//! schedule gave them, while a thread never runs before its creation or after it was joined, and leaves no barrier before
//! the others have come. Where more threads come to a barrier than it waits for, another schedule may let others meet:
//! there, the order is more than there is.
//!
//! Clocks and slots are those of [`clock`](crate::detect::clocks::clock), but a thread takes a slot only when it is first
//! asked about, so that threads nobody asks about cost an empty clock. When slots run out, or a thread
//! number is beyond the limit, there is no order any more ([`ForkJoin::ended`]).
//!
//! **Cost**: a copy of the clock per creation, a join of two clocks per join, both per barrier.

use crate::detect::clocks::clock::{Slot, Slots, VectorClock};
use crate::detect::clocks::rounds::Rounds;
use crate::detect::common::limits::{DetectionEnd, Limits};
use crate::model::meaning::{Acquire, Release};
use crate::model::{Event, EventKind, ThreadId};
use std::sync::Arc;

/// A stretch of a thread's life between two creations of other threads.
#[derive(Clone, Debug)]
pub(in crate::detect) struct Moment {
    slot: Slot,
    epoch: u32,
    /// What the thread knew.
    clock: Arc<VectorClock>,
}

impl Moment {
    /// Whether the two are the same stretch of the same thread.
    pub(in crate::detect) fn same(&self, other: &Moment) -> bool {
        (self.slot, self.epoch) == (other.slot, other.epoch)
    }

    /// Whether the two may overlap in some schedule.
    pub(in crate::detect) fn concurrent(&self, other: &Moment) -> bool {
        !self.before(other) && !other.before(self)
    }

    fn before(&self, other: &Moment) -> bool {
        other.clock.get(self.slot) >= self.epoch
    }
}

#[derive(Debug, Default)]
struct Member {
    clock: VectorClock,
    slot: Option<(Slot, u32)>,
    /// Whether others may know the epoch.
    published: bool,
    ended: bool,
    moment: Option<Moment>,
}

/// See the module.
#[derive(Debug)]
pub(in crate::detect) struct ForkJoin {
    threads: Vec<Member>,
    barriers: Rounds<VectorClock>,
    slots: Slots,
    max_threads: u32,
    ended: Option<DetectionEnd>,
}

impl ForkJoin {
    pub(in crate::detect) fn new(limits: &Limits) -> Self {
        ForkJoin {
            threads: Vec::new(),
            barriers: Rounds::default(),
            slots: Slots::new(limits.slots, limits.clock),
            max_threads: limits.threads,
            ended: None,
        }
    }

    /// Why there is no order any more, if so.
    pub(in crate::detect) fn ended(&self) -> Option<DetectionEnd> {
        self.ended
    }

    /// Follows an event.
    pub(in crate::detect) fn follow(&mut self, event: &Event) {
        let ended = match (event.kind.acquires(), &event.kind) {
            (Some(Acquire::Join(child)), _) | (_, &EventKind::ThreadDone { child }) => Some(child),
            (Some(Acquire::Round(barrier)), _) => {
                self.leave(event.thread, barrier);
                None
            }
            _ => None,
        };
        if let Some(child) = ended.filter(|&child| child != event.thread) {
            let known = self.publish(child);
            if let (Some(known), Some(thread)) = (known, self.member(event.thread)) {
                thread.clock.join(&known);
                thread.moment = None;
            }
        }
        match event.kind.releases() {
            Some(Release::Create(child)) if child != event.thread => {
                let clock = self.publish(event.thread);
                if let (Some(clock), Some(child)) = (clock, self.member(child)) {
                    child.clock = clock;
                }
            }
            Some(Release::Round(barrier)) => self.arrive(event.thread, barrier),
            Some(Release::End) => {
                let Some(thread) = self.member(event.thread) else {
                    return;
                };
                if !std::mem::replace(&mut thread.ended, true)
                    && let Some((slot, last)) = thread.slot
                {
                    self.slots.end(slot, last);
                }
            }
            _ => {}
        }
    }

    fn arrive(&mut self, thread: ThreadId, barrier: u32) {
        if let Some(known) = self.publish(thread) {
            self.barriers.arrive(thread, barrier).join(&known);
        }
    }

    fn leave(&mut self, thread: ThreadId, barrier: u32) {
        let ForkJoin {
            threads, barriers, ..
        } = self;
        if let Some(member) = threads.get_mut(thread.0 as usize) {
            barriers.leave(thread, barrier, |known| {
                member.clock.join(known);
                member.moment = None;
            });
        }
    }

    /// Whether the thread's last event was its end.
    pub(in crate::detect) fn has_ended(&self, thread: ThreadId) -> bool {
        (self.threads.get(thread.0 as usize)).is_some_and(|thread| thread.ended)
    }

    /// Where the thread is. None if there is no order any more.
    pub(in crate::detect) fn moment(&mut self, thread: ThreadId) -> Option<Moment> {
        self.member(thread)?;
        let ForkJoin { threads, slots, .. } = self;
        let member = &mut threads[thread.0 as usize];
        let (slot, epoch) = match member.slot {
            Some((slot, epoch)) if member.published => {
                if epoch >= slots.clock_limit() {
                    self.ended = Some(DetectionEnd::Clock(slots.clock_limit()));
                    return None;
                }
                (slot, epoch + 1)
            }
            Some(own) => own,
            None => match slots.take(&member.clock, thread) {
                Some(own) => own,
                None => {
                    self.ended = Some(DetectionEnd::Slots(slots.limit()));
                    return None;
                }
            },
        };
        if member.slot != Some((slot, epoch)) {
            member.slot = Some((slot, epoch));
            member.clock.set(slot, epoch);
            member.published = false;
            member.moment = None;
        }
        let clock = &member.clock;
        let moment = member.moment.get_or_insert_with(|| Moment {
            slot,
            epoch,
            clock: Arc::new(clock.clone()),
        });
        Some(moment.clone())
    }

    /// What the thread knows, for another one.
    fn publish(&mut self, thread: ThreadId) -> Option<VectorClock> {
        let thread = self.member(thread)?;
        thread.published = true;
        Some(thread.clock.clone())
    }

    fn member(&mut self, thread: ThreadId) -> Option<&mut Member> {
        if self.ended.is_some() {
            return None;
        }
        if thread.0 >= self.max_threads {
            self.ended = Some(DetectionEnd::Threads(self.max_threads));
            return None;
        }
        let index = thread.0 as usize;
        if index >= self.threads.len() {
            self.threads.resize_with(index + 1, Member::default);
        }
        Some(&mut self.threads[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ThreadEnd;

    fn order(slots: u32) -> ForkJoin {
        ForkJoin::new(&Limits {
            slots,
            ..Limits::default()
        })
    }

    fn event(order: &mut ForkJoin, thread: u32, kind: EventKind) {
        let thread = ThreadId(thread);
        order.follow(&Event { thread, kind });
    }

    fn create(order: &mut ForkJoin, thread: u32, child: u32) {
        let child = ThreadId(child);
        event(order, thread, EventKind::ThreadCreate { child });
    }

    fn join(order: &mut ForkJoin, thread: u32, child: u32) {
        event(order, child, EventKind::ThreadExit(ThreadEnd::Returned));
        let child = ThreadId(child);
        event(order, thread, EventKind::ThreadJoin { child });
    }

    fn moment(order: &mut ForkJoin, thread: u32) -> Moment {
        order.moment(ThreadId(thread)).expect("there is room")
    }

    #[test]
    fn creation_and_join_order_and_nothing_else_does() {
        let mut order = order(8);
        let before = moment(&mut order, 0);
        create(&mut order, 0, 1);
        let meanwhile = moment(&mut order, 0);
        let child = moment(&mut order, 1);
        create(&mut order, 1, 2);
        let grandchild = moment(&mut order, 2);
        assert!(!before.concurrent(&meanwhile) && !before.same(&meanwhile));
        assert!(!before.concurrent(&child) && !before.concurrent(&grandchild));
        assert!(meanwhile.concurrent(&child) && meanwhile.concurrent(&grandchild));
        assert!(!child.concurrent(&grandchild));
        join(&mut order, 0, 1);
        let after = moment(&mut order, 0);
        assert!(!after.concurrent(&child) && after.concurrent(&grandchild));
        assert!(after.same(&meanwhile) && after.concurrent(&moment(&mut order, 2)));
        join(&mut order, 0, 2);
        assert!(!moment(&mut order, 0).concurrent(&grandchild));
    }

    /// All come, then all leave.
    fn meet(order: &mut ForkJoin, threads: &[u32]) {
        let barrier = 0x40;
        for &thread in threads {
            event(order, thread, EventKind::BarrierArrive { barrier });
        }
        for &thread in threads {
            event(order, thread, EventKind::BarrierLeave { barrier });
        }
    }

    #[test]
    fn a_barrier_orders_those_who_meet_at_it() {
        let mut order = order(8);
        for child in 1..4 {
            create(&mut order, 0, child);
        }
        let before = [1, 2, 3].map(|thread| moment(&mut order, thread));
        assert!(before[0].concurrent(&before[1]));
        meet(&mut order, &[1, 2]);
        let after = moment(&mut order, 1);
        assert!(!after.concurrent(&before[1]) && !after.same(&before[0]));
        assert!(after.concurrent(&before[2]) && after.concurrent(&moment(&mut order, 2)));
        assert!(order.barriers.len() == 0);
    }

    #[test]
    fn who_leaves_late_is_not_ordered_after_the_next_round() {
        let barrier = 0x40;
        let mut order = order(8);
        for child in 1..3 {
            create(&mut order, 0, child);
        }
        for thread in [1, 2] {
            event(&mut order, thread, EventKind::BarrierArrive { barrier });
        }
        event(&mut order, 1, EventKind::BarrierLeave { barrier });
        let between = moment(&mut order, 1);
        event(&mut order, 1, EventKind::BarrierArrive { barrier });
        event(&mut order, 2, EventKind::BarrierLeave { barrier });
        assert!(moment(&mut order, 2).concurrent(&between));
        event(&mut order, 2, EventKind::BarrierArrive { barrier });
        event(&mut order, 2, EventKind::BarrierLeave { barrier });
        assert!(!moment(&mut order, 2).concurrent(&between));
    }

    #[test]
    fn who_is_overtaken_by_a_round_has_met_those_of_its_own() {
        let barrier = 0x40;
        let mut order = order(8);
        for child in 1..5 {
            create(&mut order, 0, child);
        }
        let [one, _, three, _] = [1, 2, 3, 4].map(|thread| moment(&mut order, thread));
        for thread in [1, 2] {
            event(&mut order, thread, EventKind::BarrierArrive { barrier });
        }
        event(&mut order, 1, EventKind::BarrierLeave { barrier });
        meet(&mut order, &[3, 4]);
        event(&mut order, 2, EventKind::BarrierLeave { barrier });
        let late = moment(&mut order, 2);
        assert!(!late.concurrent(&one) && late.concurrent(&three));
        assert!(order.barriers.len() == 0);
    }

    #[test]
    fn threads_that_are_not_asked_about_need_no_slot() {
        let mut order = order(2);
        for child in 1..100 {
            create(&mut order, 0, child);
        }
        assert!(moment(&mut order, 40).concurrent(&moment(&mut order, 41)));
        assert!(order.moment(ThreadId(42)).is_none());
        assert_eq!(order.ended(), Some(DetectionEnd::Slots(2)));
    }

    #[test]
    fn slots_of_joined_threads_are_used_again() {
        let mut order = order(2);
        let mut past: Option<Moment> = None;
        for child in 1..100 {
            create(&mut order, 0, child);
            let now = moment(&mut order, child);
            assert!(past.is_none_or(|past| !past.concurrent(&now)));
            assert!(moment(&mut order, 0).concurrent(&now));
            past = Some(now);
            join(&mut order, 0, child);
        }
        assert_eq!(order.ended(), None);
    }
}
