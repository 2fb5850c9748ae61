//! Happens-before as vector clocks: which events order which threads.
//!
//! Edges (release → acquire), and what guarantees each:
//!
//! What acquires and releases is said in [`crate::model::meaning`].
//!
//! **Atomics are byte-precise.** Each byte remembers the clock of the last atomic that wrote it; a load
//! acquires from every byte it reads. So a store replaces what older stores released there (it does
//! not continue their release sequence), a read-modify-write has acquired what it replaces (it does). Plain stores leave the
//! clocks of a location alone: whoever reads a plain store either is ordered after it or races with it, and that race is reported.
//!
//! **More order than guaranteed** is assumed where the truth is not cheap, so that nothing ordered is ever called a race:
//! - between atomics of different widths that overlap: the memory model lets only accesses of the same bytes synchronise;
//! - from every notify of a thread at an address, up to the last, to each thread that one of them woke;
//! - from every `sem_post` to each later `sem_wait`, whichever post let it through, as ThreadSanitizer has it;
//! - from an unlock by a thread that does not hold the lock.
//!
//! **In hidden regions** only thread creation, exit, join, barriers, `HappensBefore` and `HappensAfter` make edges:
//! these are statements about the guest, not steps of a hidden function's own synchronisation.
//!
//! **Clocks advance late.** A release publishes the thread's clock and marks it published; the clock advances
//! when the thread next makes an access, or learns something. A release after a release with neither in
//! between publishes the same snapshot again. So `(slot, epoch)` determines the whole published
//! snapshot, a thread that knows the epoch knows the snapshot, and acquiring something known is one
//! comparison. (FastTrack's observation on epochs, Flanagan & Freund, PLDI 2009, applied to
//! synchronisation as well.)
//!
//! **Cost**: a release is a copy of the clock if it changed since the last one, an acquire of
//! something new a join: both linear in the number of slots in use.

use crate::detect::clocks::clock::{Slot, Slots, VectorClock};
use crate::detect::clocks::rounds::Rounds;
use crate::detect::common::limits::{DetectionEnd, Limits};
use crate::model::meaning::{Acquire, Release, WokenOn};
use crate::model::{Event, LockMode, ThreadId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// What a thread knew when it released. Immutable; `clock` is determined by `slot` and `epoch`.
#[derive(Debug)]
struct Snapshot {
    slot: Slot,
    epoch: u32,
    clock: VectorClock,
}

/// The clock of a live thread.
#[derive(Debug)]
pub(in crate::detect) struct ThreadClock {
    slot: Slot,
    /// `clock.get(slot)`.
    epoch: u32,
    clock: VectorClock,
    /// Whether others may know `epoch`, so that the next access needs a new one.
    published: bool,
    /// What a release would publish, if it is at hand.
    snapshot: Option<Arc<Snapshot>>,
}

impl ThreadClock {
    /// The thread's slot.
    #[inline]
    pub(in crate::detect) fn slot(&self) -> Slot {
        self.slot
    }

    /// The epoch that an access made now belongs to, unless others know it already: then that access has to
    /// call [`Order::begin_access`] for a new one.
    #[inline]
    pub(in crate::detect) fn open_epoch(&self) -> Option<u32> {
        (!self.published).then_some(self.epoch)
    }

    /// What the thread knows.
    #[inline]
    pub(in crate::detect) fn clock(&self) -> &VectorClock {
        &self.clock
    }

    fn new(slot: Slot, epoch: u32, mut clock: VectorClock) -> Self {
        clock.set(slot, epoch);
        ThreadClock {
            slot,
            epoch,
            clock,
            published: false,
            snapshot: None,
        }
    }

    fn publish(&mut self) -> Arc<Snapshot> {
        self.published = true;
        let (slot, epoch, clock) = (self.slot, self.epoch, &self.clock);
        let snapshot = self.snapshot.get_or_insert_with(|| {
            Arc::new(Snapshot {
                slot,
                epoch,
                clock: clock.clone(),
            })
        });
        Arc::clone(snapshot)
    }

    /// Begins a new epoch if others know this one. False if the clock ran out.
    #[inline]
    fn advance(&mut self, limit: u32) -> bool {
        if self.published {
            if self.epoch >= limit {
                return false;
            }
            self.epoch += 1;
            self.clock.set(self.slot, self.epoch);
            self.published = false;
            self.snapshot = None;
        }
        true
    }

    /// Learns a snapshot. False if the clock ran out.
    #[inline]
    fn acquire(&mut self, snapshot: &Snapshot, limit: u32) -> bool {
        if self.knows(snapshot) {
            return true;
        }
        // A published epoch stands for what was known when it was published; knowing more needs another.
        if !self.advance(limit) {
            return false;
        }
        self.clock.join(&snapshot.clock);
        self.snapshot = None;
        true
    }

    #[inline]
    fn knows(&self, snapshot: &Snapshot) -> bool {
        self.clock.get(snapshot.slot) >= snapshot.epoch
    }
}

#[derive(Debug)]
enum ThreadState {
    Unknown,
    Alive(Box<ThreadClock>),
    Ended(Arc<Snapshot>),
}

/// Released by several threads, none of which knows of the others' releases.
#[derive(Debug, Default)]
struct Released(SmallVec<[Arc<Snapshot>; 1]>);

impl Released {
    /// Adds what `thread` knows. Whatever it knows of is covered by it and goes.
    fn join(&mut self, thread: &ThreadClock, snapshot: Arc<Snapshot>) {
        self.drop_known(thread);
        self.0.push(snapshot);
    }

    fn drop_known(&mut self, thread: &ThreadClock) {
        self.0.retain(|old| !thread.knows(old));
    }

    fn acquire(&self, thread: &mut ThreadClock, limit: u32) -> bool {
        self.0
            .iter()
            .all(|snapshot| thread.acquire(snapshot, limit))
    }
}

#[derive(Debug, Default)]
struct LockClock {
    exclusive: Released,
    shared: Released,
}

/// Bytes of a granule that the same atomic wrote last.
#[derive(Debug)]
struct Part {
    mask: u8,
    snapshot: Arc<Snapshot>,
}

/// What a thread was doing at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) struct Moment {
    slot: Slot,
    epoch: u32,
}

/// The clocks of all threads and synchronisation objects.
#[derive(Debug)]
pub(in crate::detect) struct Order {
    threads: Vec<ThreadState>,
    slots: Slots,
    /// By aligned 8-byte granule; the masks of its parts are disjoint.
    atomics: FxHashMap<u32, SmallVec<[Part; 1]>>,
    locks: FxHashMap<u32, LockClock>,
    objects: FxHashMap<u32, Released>,
    barriers: Rounds<Released>,
    /// By address, and who notified there.
    wakes: FxHashMap<(WokenOn, ThreadId), Arc<Snapshot>>,
    ended: Option<DetectionEnd>,
    max_threads: u32,
    max_objects: usize,
}

/// Splits `len` bytes from `addr` into granules: their index, and the bytes concerned. Bytes beyond 4 GiB
/// are left out.
pub(in crate::detect) fn granules(addr: u64, len: u64) -> impl Iterator<Item = (u32, u8)> {
    let end = addr.saturating_add(len).min(1 << 32);
    let mut at = addr;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let first = at & 7;
        let count = (8 - first).min(end - at);
        let mask = (((1_u32 << count) - 1) << first) as u8;
        let granule = (at >> 3) as u32;
        at += count;
        Some((granule, mask))
    })
}

impl Order {
    /// Nothing happened yet.
    pub(in crate::detect) fn new(limits: &Limits) -> Self {
        Order {
            threads: Vec::new(),
            slots: Slots::new(limits.slots, limits.clock),
            atomics: FxHashMap::default(),
            locks: FxHashMap::default(),
            objects: FxHashMap::default(),
            barriers: Rounds::default(),
            wakes: FxHashMap::default(),
            ended: None,
            max_threads: limits.threads,
            max_objects: limits.sync_objects,
        }
    }

    /// Why nothing is analysed any more, if so.
    #[inline]
    pub(in crate::detect) fn ended(&self) -> Option<DetectionEnd> {
        self.ended
    }

    /// The thread that held `slot` when its clock was `clock`.
    pub(in crate::detect) fn owner(&self, slot: Slot, clock: u32) -> ThreadId {
        self.slots.owner(slot, clock)
    }

    /// The clock of a live thread. None if it ended, or the order did.
    #[inline]
    pub(in crate::detect) fn thread(&mut self, thread: ThreadId) -> Option<&mut ThreadClock> {
        if self.ended.is_some() {
            return None;
        }
        let index = thread.0 as usize;
        if matches!(self.threads.get(index), None | Some(ThreadState::Unknown)) {
            self.add(thread, &VectorClock::default());
        }
        match self.threads.get_mut(index) {
            Some(ThreadState::Alive(clock)) => Some(clock),
            _ => None,
        }
    }

    /// The thread makes an access: returns its clock, with an epoch that no one else knows yet. None if the
    /// thread ended, or the order did.
    #[inline]
    pub(in crate::detect) fn begin_access(&mut self, thread: ThreadId) -> Option<u32> {
        let limit = self.slots.clock_limit();
        let clock = self.thread(thread)?;
        if clock.advance(limit) {
            Some(clock.epoch)
        } else {
            self.ended = Some(DetectionEnd::Clock(limit));
            None
        }
    }

    /// Whether a live thread is the only one and knows all that others ever did. Then what it does is ordered with
    /// everything: with the past, and with the threads that it will create. Only the first thread of a stream
    /// may begin without a `ThreadCreate`.
    #[inline]
    pub(in crate::detect) fn alone(&self, thread: ThreadId) -> bool {
        (self.alive(thread)).is_some_and(|clock| self.slots.alone(&clock.clock))
    }

    /// The clock of a live thread, which must be known by now.
    #[inline]
    pub(in crate::detect) fn alive(&self, thread: ThreadId) -> Option<&ThreadClock> {
        match self.threads.get(thread.0 as usize) {
            Some(ThreadState::Alive(clock)) => Some(clock),
            _ => None,
        }
    }

    /// Where a live thread is.
    pub(in crate::detect) fn moment(&self, thread: ThreadId) -> Option<Moment> {
        let ThreadClock { slot, epoch, .. } = *self.alive(thread)?;
        Some(Moment { slot, epoch })
    }

    /// Whether what a live thread does now happens after that.
    pub(in crate::detect) fn knows(&self, thread: ThreadId, moment: Moment) -> bool {
        (self.alive(thread)).is_some_and(|clock| clock.clock.get(moment.slot) >= moment.epoch)
    }

    /// The acquires of an event: to be called before its access is checked.
    pub(in crate::detect) fn acquires(&mut self, event: &Event, hidden: bool) {
        let limit = self.slots.clock_limit();
        let acquire = (event.kind.acquires()).filter(|one| !hidden || one.counts_hidden());
        let child = match acquire {
            Some(Acquire::Join(child)) if child != event.thread => self.final_snapshot(child),
            _ => None,
        };
        // Makes the thread known, and ends if it is not to be.
        if self.thread(event.thread).is_none() {
            return;
        }
        let Some(ThreadState::Alive(thread)) = self.threads.get_mut(event.thread.0 as usize) else {
            return;
        };
        let in_time = match acquire {
            None => true,
            Some(Acquire::Join(_)) => child.is_none_or(|snapshot| thread.acquire(&snapshot, limit)),
            Some(Acquire::Object(object)) => {
                (self.objects.get(&object)).is_none_or(|released| released.acquire(thread, limit))
            }
            Some(Acquire::Round(barrier)) => {
                let mut in_time = true;
                self.barriers.leave(event.thread, barrier, |released| {
                    in_time = released.acquire(thread, limit);
                });
                in_time
            }
            Some(Acquire::Bytes { addr, width }) => {
                granules(addr.into(), width.into()).all(|(granule, mask)| {
                    let parts = self.atomics.get(&granule).map_or(&[][..], |parts| parts);
                    parts
                        .iter()
                        .filter(|part| part.mask & mask != 0)
                        .all(|part| thread.acquire(&part.snapshot, limit))
                })
            }
            Some(Acquire::Wake(on, by)) => {
                (self.wakes.get(&(on, by))).is_none_or(|snapshot| thread.acquire(snapshot, limit))
            }
            Some(Acquire::Lock { lock, mode }) => self.locks.get(&lock).is_none_or(|released| {
                released.exclusive.acquire(thread, limit)
                    && (mode == LockMode::Shared || released.shared.acquire(thread, limit))
            }),
        };
        if !in_time {
            self.ended = Some(DetectionEnd::Clock(limit));
        }
    }

    /// The releases of an event: to be called after its access was checked.
    pub(in crate::detect) fn releases(&mut self, event: &Event, hidden: bool) {
        if self.thread(event.thread).is_none() {
            return;
        }
        let Some(state) = self.threads.get_mut(event.thread.0 as usize) else {
            return;
        };
        let ThreadState::Alive(thread) = state else {
            return;
        };
        let release = event.kind.releases();
        let Some(release) = release.filter(|one| !hidden || one.counts_hidden()) else {
            return;
        };
        let snapshot = thread.publish();
        match release {
            Release::Create(child) => return self.add(child, &snapshot.clock),
            Release::End => {
                self.slots.end(snapshot.slot, snapshot.epoch);
                *state = ThreadState::Ended(snapshot);
                return;
            }
            Release::Object(object) => {
                let released = self.objects.entry(object).or_default();
                released.join(thread, snapshot);
            }
            Release::Round(barrier) => {
                let released = self.barriers.arrive(event.thread, barrier);
                released.join(thread, snapshot);
            }
            Release::Bytes { addr, width } => {
                for (granule, mask) in granules(addr.into(), width.into()) {
                    let parts = self.atomics.entry(granule).or_default();
                    overwrite(parts, mask);
                    parts.push(Part {
                        mask,
                        snapshot: Arc::clone(&snapshot),
                    });
                }
            }
            Release::Wake(on) => {
                self.wakes.insert((on, event.thread), snapshot);
            }
            Release::Lock { lock, mode } => {
                let released = self.locks.entry(lock).or_default();
                match mode {
                    LockMode::Exclusive => {
                        released.shared.drop_known(thread);
                        released.exclusive.join(thread, snapshot);
                    }
                    LockMode::Shared => released.shared.join(thread, snapshot),
                }
            }
        }
        self.check_objects();
    }

    /// The bytes belong to a new object: what atomics released there concerns it no more.
    pub(in crate::detect) fn forget(&mut self, addr: u32, len: u32) {
        if len as usize / 8 > self.atomics.len() {
            let (first, end) = (u64::from(addr), u64::from(addr) + u64::from(len));
            self.atomics.retain(|&granule, parts| {
                let start = u64::from(granule) * 8;
                if start + 8 > first && start < end {
                    let mask = (0..8).fold(0_u8, |mask, bit| {
                        mask | u8::from((first..end).contains(&(start + bit))) << bit
                    });
                    overwrite(parts, mask);
                }
                !parts.is_empty()
            });
        } else {
            for (granule, mask) in granules(addr.into(), len.into()) {
                if let Some(parts) = self.atomics.get_mut(&granule) {
                    overwrite(parts, mask);
                    if parts.is_empty() {
                        self.atomics.remove(&granule);
                    }
                }
            }
        }
    }

    fn final_snapshot(&mut self, thread: ThreadId) -> Option<Arc<Snapshot>> {
        match self.threads.get_mut(thread.0 as usize)? {
            ThreadState::Unknown => None,
            ThreadState::Ended(snapshot) => Some(Arc::clone(snapshot)),
            ThreadState::Alive(clock) => Some(clock.publish()),
        }
    }

    fn add(&mut self, thread: ThreadId, creator: &VectorClock) {
        if thread.0 >= self.max_threads {
            self.ended = Some(DetectionEnd::Threads(self.max_threads));
            return;
        }
        let index = thread.0 as usize;
        if index >= self.threads.len() {
            self.threads.resize_with(index + 1, || ThreadState::Unknown);
        }
        if !matches!(self.threads[index], ThreadState::Unknown) {
            return;
        }
        let Some((slot, epoch)) = self.slots.take(creator, thread) else {
            self.ended = Some(DetectionEnd::Slots(self.slots.limit()));
            return;
        };
        let clock = ThreadClock::new(slot, epoch, creator.clone());
        self.threads[index] = ThreadState::Alive(Box::new(clock));
    }

    fn check_objects(&mut self) {
        let objects = self.atomics.len()
            + self.locks.len()
            + self.objects.len()
            + self.barriers.len()
            + self.wakes.len();
        if objects > self.max_objects {
            self.ended = Some(DetectionEnd::SyncObjects(self.max_objects));
        }
    }
}

fn overwrite(parts: &mut SmallVec<[Part; 1]>, mask: u8) {
    parts.retain(|part| {
        part.mask &= !mask;
        part.mask != 0
    });
}
