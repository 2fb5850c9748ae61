//! The orders of events, as relations between all pairs of events, from their definitions.

use grind_runtime::predict::{Event, Op};
use std::collections::BTreeSet;

/// Which pairs are in it; indices from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Relation(Vec<Vec<bool>>);

impl Relation {
    fn new(events: &[Event], related: impl Fn(usize, usize) -> bool) -> Self {
        let row = |i: usize| (0..events.len()).map(|j| i < j && related(i, j)).collect();
        Relation((0..events.len()).map(row).collect())
    }

    fn union(&self, other: &Relation) -> Relation {
        let row = |(a, b): (&Vec<bool>, &Vec<bool>)| a.iter().zip(b).map(|(a, b)| a | b).collect();
        Relation(self.0.iter().zip(&other.0).map(row).collect())
    }

    /// What this leads to and then the other.
    fn then(&self, other: &Relation) -> Relation {
        let size = self.0.len();
        let row = |i: usize| {
            (0..size)
                .map(|j| (i..j).any(|k| self.0[i][k] && other.0[k][j]))
                .collect()
        };
        Relation((0..size).map(row).collect())
    }

    fn closed(self) -> Relation {
        let more = self.union(&self.then(&self));
        if more == self { self } else { more.closed() }
    }
}

fn program_order(events: &[Event]) -> Relation {
    Relation::new(events, |i, j| events[i].thread == events[j].thread)
}

/// Fork, join, notify and wait, and loads with the stores before them.
fn hard(events: &[Event]) -> Relation {
    Relation::new(events, |i, j| {
        let (a, b) = (events[i], events[j]);
        a.op == Op::Fork && b.thread == a.operand
            || b.op == Op::Join && a.thread == b.operand
            || a.operand == b.operand
                && matches!((a.op, b.op), (Op::Notify, Op::Wait) | (Op::Store, Op::Load))
    })
}

/// Stores come after what was loaded and stored before.
fn stores(events: &[Event]) -> Relation {
    Relation::new(events, |i, j| {
        let (a, b) = (events[i], events[j]);
        a.operand == b.operand && matches!((a.op, b.op), (Op::Load | Op::Store, Op::Store))
    })
}

fn hb(events: &[Event]) -> Relation {
    let locks = Relation::new(events, |i, j| {
        let (a, b) = (events[i], events[j]);
        a.op == Op::Release && b.op == Op::Acquire && a.operand == b.operand
    });
    program_order(events)
        .union(&hard(events))
        .union(&locks)
        .closed()
}

fn last_write(events: &[Event], read: usize) -> Option<usize> {
    (0..read)
        .rev()
        .find(|&i| events[i].op == Op::Write && events[i].operand == events[read].operand)
}

fn racy(events: &[Event], ordered: impl Fn(usize, usize) -> bool) -> BTreeSet<u32> {
    let access = |event: &Event| matches!(event.op, Op::Read | Op::Write);
    let conflict = |a: &Event, b: &Event| {
        access(a)
            && access(b)
            && a.operand == b.operand
            && a.thread != b.thread
            && (a.op == Op::Write || b.op == Op::Write)
    };
    (0..events.len())
        .filter(|&j| (0..j).any(|i| conflict(&events[i], &events[j]) && !ordered(i, j)))
        .map(|j| j as u32 + 1)
        .collect()
}

/// Numbers of the racy events by happens-before.
pub(crate) fn happens_before(events: &[Event]) -> BTreeSet<u32> {
    let hb = hb(events);
    racy(events, |i, j| hb.0[i][j])
}

/// The same, where stores of atomics come after what was loaded and stored before.
pub(crate) fn happens_before_with_stores(events: &[Event]) -> BTreeSet<u32> {
    let order = hb(events).union(&stores(events)).closed();
    racy(events, |i, j| order.0[i][j])
}

/// Numbers of the racy events by schedulable happens-before.
pub(crate) fn schedulable(events: &[Event]) -> BTreeSet<u32> {
    let reads = Relation::new(events, |i, j| {
        events[j].op == Op::Read && last_write(events, j) == Some(i)
    });
    let base = hb(events).union(&reads).closed();
    racy(events, |i, j| {
        // Without the read's own edge: what its thread, and its other edges, lead from.
        let direct = hb(events).0[i][j];
        direct || (i..j).any(|k| base.0[i][k] && hb(events).0[k][j])
    })
}

/// The acquire of the release at `index`, or none.
fn acquire_of(events: &[Event], index: usize) -> usize {
    let release = events[index];
    (0..index)
        .rev()
        .find(|&i| {
            let event = events[i];
            event.op == Op::Acquire
                && (event.thread, event.operand) == (release.thread, release.operand)
        })
        .unwrap()
}

/// Whether the event at `index` is in a section of `lock`.
fn inside(events: &[Event], index: usize, lock: u32) -> bool {
    let of_lock = (0..index).rev().find(|&i| {
        let event = events[i];
        event.thread == events[index].thread
            && event.operand == lock
            && matches!(event.op, Op::Acquire | Op::Release)
    });
    of_lock.is_some_and(|i| events[i].op == Op::Acquire)
}

/// Numbers of the racy events by weak causal precedence.
pub(crate) fn weak_causal(events: &[Event]) -> BTreeSet<u32> {
    let hb = hb(events).union(&stores(events)).closed();
    let releases_before = |i: usize, j: usize| {
        let (a, b) = (events[i], events[j]);
        a.op == Op::Release && a.thread != b.thread && i < j
    };
    let conflicts = Relation::new(events, |i, j| {
        let (a, b) = (events[i], events[j]);
        releases_before(i, j)
            && matches!(b.op, Op::Read | Op::Write | Op::Load | Op::Store)
            && inside(events, j, a.operand)
            && (acquire_of(events, i)..i).any(|k| {
                let c = events[k];
                c.thread == a.thread
                    && c.operand == b.operand
                    && matches!(
                        (c.op, b.op),
                        (Op::Write, Op::Read | Op::Write)
                            | (Op::Read, Op::Write)
                            | (Op::Store, Op::Load | Op::Store)
                            | (Op::Load, Op::Store)
                    )
            })
    });
    let mut order = conflicts.union(&hard(events)).union(&stores(events));
    loop {
        let sections = Relation::new(events, |i, j| {
            let (a, b) = (events[i], events[j]);
            releases_before(i, j)
                && b.op == Op::Release
                && a.operand == b.operand
                && order.0[acquire_of(events, i)][j]
        });
        let more = order.union(&sections);
        let more = more.union(&hb.then(&more)).union(&more.then(&hb));
        if more == order {
            break;
        }
        order = more;
    }
    racy(events, |i, j| order.0[i][j])
}
