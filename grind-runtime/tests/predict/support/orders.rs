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

/// Fork, join, notify and wait, and loads with the store before them; to `schedules`, needs as well.
fn hard(events: &[Event], schedules: bool) -> Relation {
    let of_store = |event: &Event, operand| event.op == Op::Store && event.operand == operand;
    Relation::new(events, |i, j| {
        let (a, b) = (events[i], events[j]);
        a.op == Op::Fork && b.thread == a.operand
            || b.op == Op::Join && a.thread == b.operand
            || a.operand == b.operand
                && a.op == Op::Notify
                && (b.op == Op::Wait || schedules && b.op == Op::Needs)
            || of_store(&a, b.operand)
                && b.op == Op::Load
                && !(events[i + 1..j].iter()).any(|between| of_store(between, b.operand))
    })
}

/// Whether it is a plain read or write.
fn is_plain(op: Op) -> bool {
    matches!(op, Op::Read | Op::Write)
}

fn reads(op: Op) -> bool {
    matches!(op, Op::Read | Op::AtomicRead)
}

fn writes(op: Op) -> bool {
    matches!(op, Op::Write | Op::AtomicWrite)
}

/// Whether these are accesses of which one writes, and not both are atomic.
fn conflicting(a: Op, b: Op) -> bool {
    let accesses = [a, b].iter().all(|&op| reads(op) || writes(op));
    accesses && (writes(a) || writes(b)) && (is_plain(a) || is_plain(b))
}

/// Stores come after what was loaded and stored before.
fn stores(events: &[Event]) -> Relation {
    Relation::new(events, |i, j| {
        let (a, b) = (events[i], events[j]);
        a.operand == b.operand && matches!((a.op, b.op), (Op::Load | Op::Store, Op::Store))
    })
}

fn hb(events: &[Event], schedules: bool) -> Relation {
    let locks = Relation::new(events, |i, j| {
        let (a, b) = (events[i], events[j]);
        a.op == Op::Release && b.op == Op::Acquire && a.operand == b.operand
    });
    program_order(events)
        .union(&hard(events, schedules))
        .union(&locks)
        .closed()
}

/// The write that an access sees: an atomic, the last plain one.
fn last_write(events: &[Event], access: usize) -> Option<usize> {
    let plain = is_plain(events[access].op);
    let seen = |op| op == Op::Write || plain && op == Op::AtomicWrite;
    (0..access)
        .rev()
        .find(|&i| seen(events[i].op) && events[i].operand == events[access].operand)
}

fn racy(events: &[Event], ordered: impl Fn(usize, usize) -> bool) -> BTreeSet<u32> {
    let conflict = |a: &Event, b: &Event| {
        conflicting(a.op, b.op) && a.operand == b.operand && a.thread != b.thread
    };
    (0..events.len())
        .filter(|&j| (0..j).any(|i| conflict(&events[i], &events[j]) && !ordered(i, j)))
        .map(|j| j as u32 + 1)
        .collect()
}

/// Numbers of the racy events by happens-before.
pub(crate) fn happens_before(events: &[Event]) -> BTreeSet<u32> {
    let hb = hb(events, false);
    racy(events, |i, j| hb.0[i][j])
}

/// The same, where stores of atomics come after what was loaded and stored before.
pub(crate) fn happens_before_with_stores(events: &[Event]) -> BTreeSet<u32> {
    let order = hb(events, true).union(&stores(events)).closed();
    racy(events, |i, j| order.0[i][j])
}

/// Numbers of the racy events by schedulable happens-before.
pub(crate) fn schedulable(events: &[Event]) -> BTreeSet<u32> {
    let reads = Relation::new(events, |i, j| {
        let sees = events[j].op == Op::Read
            || !is_plain(events[j].op) && conflicting(events[j].op, Op::Write);
        sees && last_write(events, j) == Some(i)
    });
    let hb = hb(events, true);
    let base = hb.union(&reads).closed();
    racy(events, |i, j| {
        // Without the read's own edge: what its thread, and its other edges, lead from.
        let direct = hb.0[i][j];
        direct || (i..j).any(|k| base.0[i][k] && hb.0[k][j])
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
    let hb = hb(events, true).union(&stores(events)).closed();
    let releases_before = |i: usize, j: usize| {
        let (a, b) = (events[i], events[j]);
        a.op == Op::Release && a.thread != b.thread && i < j
    };
    let conflicts = Relation::new(events, |i, j| {
        let (a, b) = (events[i], events[j]);
        releases_before(i, j)
            && (reads(b.op) || writes(b.op) || matches!(b.op, Op::Load | Op::Store))
            && inside(events, j, a.operand)
            && (acquire_of(events, i)..i).any(|k| {
                let c = events[k];
                c.thread == a.thread
                    && c.operand == b.operand
                    && (conflicting(c.op, b.op)
                        || matches!(
                            (c.op, b.op),
                            (Op::Store, Op::Load | Op::Store) | (Op::Load, Op::Store)
                        ))
            })
    });
    let mut order = conflicts.union(&hard(events, true)).union(&stores(events));
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
