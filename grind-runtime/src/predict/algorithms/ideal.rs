//! Sync-preserving ideals: which events a schedule has to contain that reaches some points of some threads, and keeps
//! the order in which locks were taken.
//!
//! Mathur, Pavlogiannis and Viswanathan, *Optimal Prediction of Synchronization-Preserving Races*, POPL 2021. A set of
//! events is a vector clock: so many events of each thread. It has to be closed under program order, fork, join, and
//! the write of every read (of an atomic, the last plain write before it) (that is what a thread's clock keeps), and if it has two acquires of a lock, it has the
//! release of the earlier one ([`Ideals::close`]). Executing such a set in the order of the trace is a correct
//! reordering.
//!
//! Memory grows with the synchronisation of the trace: 24 bytes per acquire, and 48 where another thread's events became
//! known.

use crate::predict::algorithms::analysis::{entry, table_bytes};
use crate::predict::algorithms::clock::Clock;
use crate::predict::algorithms::event::{Event, Op};
use rustc_hash::FxHashMap;

/// No acquire.
const NONE: u32 = u32::MAX;

/// The events that a point of a thread needs: all of them before it, and what those need.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::predict) struct Point {
    thread: u32,
    /// How many events of its own.
    position: u32,
    /// Which of the thread's clocks.
    version: u32,
}

impl Point {
    /// How many events its thread had before it.
    #[inline]
    pub(in crate::predict) fn position(self) -> u32 {
        self.position
    }
}

#[derive(Clone, Debug)]
struct Acquire {
    lock: u32,
    /// Its number among the acquires of the lock.
    turn: u32,
    /// Its number, and that of its release or 0, among all events.
    numbers: (u32, u32),
    /// The acquire around it.
    outer: u32,
    /// Its release, if that was.
    released: Option<Point>,
}

#[derive(Clone, Debug)]
struct Thread {
    /// How many events it had.
    position: u32,
    /// What its next event needs; its own place may be out of date.
    needs: Clock,
    /// Past values of `needs`, without its own place.
    versions: Vec<Clock>,
    /// Whether `needs` differs from the last of them.
    changed: bool,
    acquires: Vec<Acquire>,
    /// The innermost acquire that is open.
    innermost: u32,
    /// After which of its events `innermost` became what.
    log: Vec<(u32, u32)>,
    /// Counts the events that others may come to need.
    outgoing: u32,
}

/// A critical section without its release.
#[derive(Clone, Copy, Debug)]
pub(in crate::predict) struct Open {
    pub(in crate::predict) lock: u32,
    /// The number of its acquire among all events.
    pub(in crate::predict) acquire: u32,
    turn: u32,
}

/// Bytes that an acquire takes in all tables, its part of the logs included.
const ACQUIRE: u64 = (size_of::<Acquire>() + 5 * size_of::<(u32, u32)>()) as u64;

/// Of one thread: after which of its events it took the lock for which turn.
type Turns = Vec<(u32, u32)>;

#[derive(Clone, Debug, Default)]
struct Lock {
    /// The thread, and which of its acquires, of each turn.
    turns: Vec<(u32, u32)>,
    by_thread: Vec<Turns>,
}

/// What threads, locks and variables were up to.
#[derive(Clone, Debug, Default)]
pub(in crate::predict) struct Ideals {
    threads: Vec<Thread>,
    locks: Vec<Lock>,
    /// The last write of each variable.
    writes: Vec<Option<Point>>,
    /// The last plain write of those that were written by an atomic since.
    plain: FxHashMap<u32, Option<Point>>,
    /// The last notify of each condition.
    notifies: Vec<Option<Point>>,
    /// How many events and releases there were.
    events: u32,
    pub(in crate::predict) releases: u32,
    /// Bytes of what grows with the trace.
    grown: u64,
}

impl Thread {
    fn new() -> Self {
        Thread {
            position: 0,
            needs: Clock::default(),
            versions: Vec::new(),
            changed: true,
            acquires: Vec::new(),
            innermost: NONE,
            log: Vec::new(),
            outgoing: 0,
        }
    }

    /// The open acquires, innermost first, starting with `innermost`.
    fn open(&self, innermost: u32) -> impl Iterator<Item = &Acquire> {
        let mut next = innermost;
        std::iter::from_fn(move || {
            let acquire = self.acquires.get(next as usize)?;
            next = acquire.outer;
            Some(acquire)
        })
    }

    /// The innermost acquire that is open after `position` events.
    #[inline]
    fn innermost_at(&self, position: u32) -> u32 {
        last_until(&self.log, position).map_or(NONE, |&(_, innermost)| innermost)
    }
}

/// The last of `entries`, which ascend, that is not after `position`; mostly, it is near the end.
#[inline]
fn last_until(entries: &[(u32, u32)], position: u32) -> Option<&(u32, u32)> {
    let mut step = 1;
    let mut end = entries.len();
    while let Some(start) = end.checked_sub(step) {
        if entries[start].0 <= position {
            let within = &entries[start..end];
            return within[..within.partition_point(|entry| entry.0 <= position)].last();
        }
        end = start;
        step *= 2;
    }
    entries[..end.min(entries.partition_point(|entry| entry.0 <= position))].last()
}

impl Ideals {
    /// About how many bytes it takes.
    pub(in crate::predict) fn bytes(&self) -> u64 {
        self.grown
            + table_bytes(&self.threads)
            + table_bytes(&self.locks)
            + table_bytes(&self.writes)
            + table_bytes(&self.notifies)
            + (self.plain.capacity() * size_of::<(u32, Option<Point>)>()) as u64
    }

    #[inline]
    fn thread(&mut self, thread: u32) -> &mut Thread {
        while self.threads.len() as u32 <= thread {
            self.threads.push(Thread::new());
        }
        &mut self.threads[thread as usize]
    }

    /// The point before the next event of `thread`.
    #[inline]
    pub(in crate::predict) fn point(&mut self, thread: u32) -> Point {
        self.thread(thread);
        let state = &mut self.threads[thread as usize];
        if state.changed {
            state.changed = false;
            let needs = state.needs.clone();
            self.grown += size_of::<Clock>() as u64 + needs.spilled();
            state.versions.push(needs);
        }
        Point {
            thread,
            position: state.position,
            version: state.versions.len() as u32 - 1,
        }
    }

    /// How often `thread` came to need other threads' events, and how often it took or released a lock. As long as both
    /// stay the same, its next event needs the same of other threads, also when locks are taken in order.
    #[inline]
    pub(in crate::predict) fn version(&self, thread: u32) -> (u32, u32) {
        let state = &self.threads[thread as usize];
        let needed = state.versions.len() as u32 + u32::from(state.changed);
        (needed, state.log.len() as u32)
    }

    /// How many events `thread` had that others may come to need.
    #[inline]
    pub(in crate::predict) fn outgoing(&self, thread: u32) -> u32 {
        self.threads[thread as usize].outgoing
    }

    /// The innermost open acquire of `thread`, as something to compare.
    #[inline]
    pub(in crate::predict) fn innermost(&self, thread: u32) -> u32 {
        self.threads[thread as usize].innermost
    }

    /// The locks that `thread` holds, the last one first.
    pub(in crate::predict) fn held(&self, thread: u32) -> impl Iterator<Item = u32> {
        let state = &self.threads[thread as usize];
        state.open(state.innermost).map(|acquire| acquire.lock)
    }

    /// Whether `thread` holds a lock now that `other` held within its acquire `innermost`.
    #[inline]
    pub(in crate::predict) fn common(&self, thread: u32, other: u32, innermost: u32) -> bool {
        innermost != NONE
            && self.held(thread).any(|lock| {
                self.threads[other as usize]
                    .open(innermost)
                    .any(|acquire| acquire.lock == lock)
            })
    }

    /// How many events of `other` the next event of `thread` needs.
    #[inline]
    pub(in crate::predict) fn known(&self, thread: u32, other: u32) -> u32 {
        self.threads[thread as usize].needs.get(other)
    }

    /// Adds what `point` needs.
    #[inline]
    pub(in crate::predict) fn add(&self, ideal: &mut Clock, point: Point) {
        let state = &self.threads[point.thread as usize];
        if let Some(needs) = state.versions.get(point.version as usize) {
            ideal.join(needs);
        }
        ideal.raise(point.thread, point.position);
    }

    /// Adds what is needed for a schedule that keeps the order of acquires.
    pub(in crate::predict) fn close(&self, ideal: &mut Clock) {
        let mut thread = 0;
        // How many threads in a row needed nothing.
        let mut settled = 0;
        while settled < ideal.len() {
            if self.release_needed(ideal, thread) {
                settled = 0;
                continue;
            }
            settled += 1;
            thread = if thread + 1 < ideal.len() {
                thread + 1
            } else {
                0
            };
        }
    }

    /// Adds the releases of `thread` that others in `ideal` need, and says whether there were any.
    #[inline]
    fn release_needed(&self, ideal: &mut Clock, thread: u32) -> bool {
        let position = ideal.get(thread);
        if position == 0 {
            return false;
        }
        let Some(state) = self.threads.get(thread as usize) else {
            return false;
        };
        // A release of an outer lock includes those inside it.
        let mut outermost = None;
        for acquire in state.open(state.innermost_at(position)) {
            if acquire.released.is_some() && self.taken_later(ideal, acquire) {
                outermost = acquire.released;
            }
        }
        let Some(release) = outermost else {
            return false;
        };
        self.add(ideal, release);
        true
    }

    /// Whether `ideal` has a later acquire of the same lock. It is another thread's if this one is open in `ideal`.
    #[inline]
    fn taken_later(&self, ideal: &Clock, acquire: &Acquire) -> bool {
        let Lock { turns, by_thread } = &self.locks[acquire.lock as usize];
        turns.len() > acquire.turn as usize
            && by_thread.iter().enumerate().any(|(other, entries)| {
                entries.last().is_some_and(|last| last.1 > acquire.turn)
                    && last_until(entries, ideal.get(other as u32))
                        .is_some_and(|last| last.1 > acquire.turn)
            })
    }

    /// Adds the releases of all locks that are held in `ideal`, except those that need more than `most` events of
    /// `thread`.
    pub(in crate::predict) fn close_optimistically(
        &self,
        ideal: &mut Clock,
        thread: u32,
        most: u32,
    ) {
        loop {
            let mut settled = true;
            for (holder, state) in (0..).zip(&self.threads) {
                let position = ideal.get(holder);
                // Nothing is held before the first event.
                let open = state.open(state.innermost_at(position));
                let releasable = open
                    .filter_map(|acquire| acquire.released)
                    .filter(|release| {
                        let needed = match release.thread == thread {
                            true => release.position,
                            false => self.threads[release.thread as usize].versions
                                [release.version as usize]
                                .get(thread),
                        };
                        needed <= most
                    });
                // A release of an outer lock includes those inside it.
                if let Some(release) = releasable.last() {
                    self.add(ideal, release);
                    settled = false;
                }
            }
            if settled {
                return;
            }
        }
    }

    /// The sections that are open in `ideal`.
    pub(in crate::predict) fn open_sections(&self, ideal: &Clock) -> impl Iterator<Item = Open> {
        (0..).zip(&self.threads).flat_map(|(thread, state)| {
            let innermost = state.innermost_at(ideal.get(thread));
            state.open(innermost).map(move |acquire| Open {
                lock: acquire.lock,
                acquire: acquire.numbers.0,
                turn: acquire.turn,
            })
        })
    }

    /// The number of the release of the last section in `ideal` of the same lock after `open`, where all of those are
    /// closed.
    pub(in crate::predict) fn later_release(&self, ideal: &Clock, open: &Open) -> Option<u32> {
        let Lock { turns, by_thread } = &self.locks[open.lock as usize];
        let last = (0..)
            .zip(by_thread)
            .filter_map(|(thread, entries)| last_until(entries, ideal.get(thread)))
            .map(|&(_, turn)| turn)
            .max()
            .filter(|&turn| turn > open.turn)?;
        let (thread, index) = turns[last as usize - 1];
        Some(
            self.threads[thread as usize].acquires[index as usize]
                .numbers
                .1,
        )
    }

    /// Adds `event` to its thread.
    #[inline]
    pub(in crate::predict) fn feed(&mut self, event: &Event) {
        let Event {
            thread, operand, ..
        } = *event;
        self.events += 1;
        self.thread(thread).position += 1;
        match event.op {
            Op::Read => {
                if let Some(&Some(write)) = self.writes.get(operand as usize) {
                    self.need(thread, write);
                }
            }
            Op::Write => {
                let point = self.leave(thread);
                *entry(&mut self.writes, operand) = Some(point);
                if !self.plain.is_empty() {
                    self.plain.remove(&operand);
                }
            }
            Op::AtomicRead => self.see_plain(thread, operand),
            Op::AtomicWrite => {
                self.see_plain(thread, operand);
                let point = self.leave(thread);
                let last = entry(&mut self.writes, operand).replace(point);
                self.plain.entry(operand).or_insert(last);
            }
            Op::Acquire => self.acquire(thread, operand),
            Op::Release => self.release(thread, operand),
            Op::Fork => {
                let point = self.leave(thread);
                self.thread(operand);
                self.need(operand, point);
            }
            Op::Join => {
                let point = self.point(operand);
                self.need(thread, point);
            }
            Op::Notify | Op::Store => {
                let point = self.leave(thread);
                *entry(&mut self.notifies, operand) = Some(point);
            }
            Op::Wait | Op::Needs | Op::Load => {
                if let Some(&Some(notify)) = self.notifies.get(operand as usize) {
                    self.need(thread, notify);
                }
            }
            Op::Request | Op::Begin | Op::End => {}
        }
    }

    /// An atomic sees what was written plainly.
    fn see_plain(&mut self, thread: u32, variable: u32) {
        let last = self.writes.get(variable as usize).copied().flatten();
        if let Some(write) = self.plain.get(&variable).copied().unwrap_or(last) {
            self.need(thread, write);
        }
    }

    /// The point after the current event, which others may need.
    #[inline]
    fn leave(&mut self, thread: u32) -> Point {
        self.thread(thread).outgoing += 1;
        self.point(thread)
    }

    #[inline]
    fn need(&mut self, thread: u32, point: Point) {
        if point.thread == thread || self.known(thread, point.thread) >= point.position {
            return;
        }
        let mut needs = std::mem::take(&mut self.thread(thread).needs);
        self.add(&mut needs, point);
        let state = self.thread(thread);
        state.needs = needs;
        state.changed = true;
    }

    fn acquire(&mut self, thread: u32, lock: u32) {
        self.thread(thread);
        let state = &mut self.threads[thread as usize];
        let turns = &mut entry(&mut self.locks, lock).turns;
        turns.push((thread, state.acquires.len() as u32));
        let turn = turns.len() as u32;
        self.grown += ACQUIRE;
        entry(&mut self.locks[lock as usize].by_thread, thread).push((state.position, turn));
        let outer = state.innermost;
        state.innermost = state.acquires.len() as u32;
        state.acquires.push(Acquire {
            lock,
            turn,
            numbers: (self.events, 0),
            outer,
            released: None,
        });
        state.log.push((state.position, state.innermost));
    }

    fn release(&mut self, thread: u32, lock: u32) {
        let point = self.leave(thread);
        let state = &mut self.threads[thread as usize];
        // In a well-formed trace, it is the innermost.
        let mut next = state.innermost;
        while let Some(acquire) = state.acquires.get_mut(next as usize) {
            next = acquire.outer;
            if acquire.lock == lock {
                acquire.released = Some(point);
                acquire.numbers.1 = self.events;
                self.releases += 1;
                state.innermost = next;
                state.log.push((state.position, next));
                return;
            }
        }
    }
}
