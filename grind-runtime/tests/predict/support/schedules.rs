//! All correct reorderings of a small trace, one after the other.
//!
//! A correct reordering is a well-formed sequence of some of the events, a prefix of each thread's, in which a thread
//! starts after its fork, a join follows all of its thread, and every read sees the same write as in the trace, or none
//! as there, and every wait the same notify.

use grind_runtime::predict::{Event, Op};
use std::collections::{BTreeMap, BTreeSet};

/// Which of the reorderings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    All,
    /// Those in which the acquires of a lock that occur keep their order.
    SyncPreserving,
}

/// What some reordering leads to, as pairs of event numbers from 1, the earlier in the trace first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reachable {
    /// Conflicting accesses that are both next.
    pub(crate) races: BTreeSet<(u32, u32)>,
    /// Acquires that are both next, of a lock that the other thread holds.
    pub(crate) deadlocks: BTreeSet<(u32, u32)>,
    /// Whether any number of threads can block each other.
    pub(crate) deadlock: bool,
}

/// What the rest of a reordering depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    /// Events executed, by thread.
    done: Vec<usize>,
    /// The number of the last write or notify, by kind and operand.
    seen: BTreeMap<(u8, u32), u32>,
    /// The last acquire of each lock.
    acquired: BTreeMap<u32, u32>,
    holders: BTreeMap<u32, usize>,
}

struct Search<'a> {
    which: Which,
    events: &'a [Event],
    /// Numbers, by thread.
    threads: Vec<Vec<u32>>,
    /// The number of the fork of each thread that has one.
    forks: BTreeMap<u32, u32>,
    /// What each read and wait sees.
    sees: BTreeMap<u32, Option<u32>>,
    known: BTreeSet<State>,
    reachable: Reachable,
}

/// What is reachable in `events`, of which there should be few.
pub(crate) fn reachable(events: &[Event], which: Which) -> Reachable {
    let count = events
        .iter()
        .map(|event| event.thread.max(thread_operand(event)))
        .max();
    let mut search = Search {
        which,
        events,
        threads: vec![Vec::new(); count.map_or(0, |count| count as usize + 1)],
        forks: BTreeMap::new(),
        sees: BTreeMap::new(),
        known: BTreeSet::new(),
        reachable: Reachable::default(),
    };
    let mut last = BTreeMap::new();
    for (number, event) in (1..).zip(events) {
        search.threads[event.thread as usize].push(number);
        match event.op {
            Op::Fork => {
                search.forks.insert(event.operand, number);
            }
            Op::Read | Op::Wait | Op::Needs | Op::Load | Op::AtomicRead | Op::AtomicWrite => {
                search.sees.insert(number, last.get(&cell(event)).copied());
            }
            _ => {}
        }
        for cell in written(event) {
            last.insert(cell, number);
        }
    }
    let start = State {
        done: vec![0; search.threads.len()],
        ..State::default()
    };
    let mut open = vec![start];
    while let Some(state) = open.pop() {
        if search.known.insert(state.clone()) {
            search.look(&state);
            open.extend((0..state.done.len()).filter_map(|thread| search.step(&state, thread)));
        }
    }
    search.reachable
}

fn thread_operand(event: &Event) -> u32 {
    if matches!(event.op, Op::Fork | Op::Join) {
        event.operand
    } else {
        0
    }
}

/// What it sees the last write of; an atomic, the last plain one.
fn cell(event: &Event) -> (u8, u32) {
    let what = match event.op {
        Op::Wait | Op::Needs | Op::Notify => 1,
        Op::Load | Op::Store => 2,
        Op::AtomicRead | Op::AtomicWrite => 3,
        _ => 0,
    };
    (what, event.operand)
}

/// What it is the last write of.
fn written(event: &Event) -> Vec<(u8, u32)> {
    match event.op {
        Op::Write => vec![(0, event.operand), (3, event.operand)],
        Op::AtomicWrite => vec![(0, event.operand)],
        Op::Notify | Op::Store => vec![cell(event)],
        _ => Vec::new(),
    }
}

/// Whether these are accesses of which one writes, and not both are atomic.
fn conflicting(a: Op, b: Op) -> bool {
    let plain = |op| matches!(op, Op::Read | Op::Write);
    let writes = |op| matches!(op, Op::Write | Op::AtomicWrite);
    let accesses = |op| plain(op) || writes(op) || op == Op::AtomicRead;
    accesses(a) && accesses(b) && (writes(a) || writes(b)) && (plain(a) || plain(b))
}

impl Search<'_> {
    fn done(&self, state: &State, number: u32) -> bool {
        let thread = self.events[number as usize - 1].thread as usize;
        self.threads[thread][..state.done[thread]].contains(&number)
    }

    /// The next event of `thread`, if that was started.
    fn next(&self, state: &State, thread: usize) -> Option<(u32, Event)> {
        let number = *self.threads[thread].get(state.done[thread])?;
        let fork = self.forks.get(&(thread as u32));
        let started = fork.is_none_or(|&fork| self.done(state, fork));
        started.then(|| (number, self.events[number as usize - 1]))
    }

    fn step(&self, state: &State, thread: usize) -> Option<State> {
        let (number, event) = self.next(state, thread)?;
        let mut next = state.clone();
        next.done[thread] += 1;
        let possible = match event.op {
            Op::Read | Op::Wait | Op::Needs | Op::Load | Op::AtomicRead | Op::AtomicWrite => {
                state.seen.get(&cell(&event)).copied() == self.sees[&number]
            }
            Op::Write | Op::Notify | Op::Store => true,
            Op::Acquire => {
                let before = next.acquired.insert(event.operand, number);
                let free = next.holders.insert(event.operand, thread).is_none();
                free && (self.which == Which::All || before.is_none_or(|before| before < number))
            }
            Op::Release => next.holders.remove(&event.operand) == Some(thread),
            Op::Join => {
                let child = event.operand as usize;
                state.done[child] == self.threads[child].len()
            }
            Op::Fork | Op::Request | Op::Begin | Op::End => true,
        };
        for cell in written(&event) {
            next.seen.insert(cell, number);
        }
        possible.then_some(next)
    }

    fn look(&mut self, state: &State) {
        let nexts: Vec<_> = (0..state.done.len())
            .filter_map(|thread| self.next(state, thread))
            .collect();
        // Whom each thread waits for.
        let mut waits = BTreeMap::new();
        for (index, &(number, event)) in nexts.iter().enumerate() {
            let holder = |event: &Event| {
                let holder = state.holders.get(&event.operand).copied();
                holder.filter(|_| event.op == Op::Acquire)
            };
            if let Some(holder) = holder(&event) {
                waits.insert(event.thread as usize, holder);
            }
            for &(other, second) in &nexts[index + 1..] {
                let pair = (number.min(other), number.max(other));
                if event.operand == second.operand && conflicting(event.op, second.op) {
                    self.reachable.races.insert(pair);
                }
                if holder(&event) == Some(second.thread as usize)
                    && holder(&second) == Some(event.thread as usize)
                {
                    self.reachable.deadlocks.insert(pair);
                }
            }
        }
        let circle = |start: usize| {
            let path = std::iter::successors(Some(start), |thread| waits.get(thread).copied());
            path.skip(1).take(waits.len()).any(|thread| thread == start)
        };
        self.reachable.deadlock |= waits.keys().any(|&thread| circle(thread));
    }
}
