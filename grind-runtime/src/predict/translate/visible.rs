//! What of a trace can be seen: accesses and synchronisation outside of hidden functions and of the insides of locks, in
//! the terms in which orders are defined.
//!
//! The rules are those of the live analysis (`analysis/context.rs`, `analysis/order.rs`): lock and condvar hooks hide
//! what is between their beginning and their end, and in hidden functions only creation and join of threads and
//! annotations make edges. Lock words are locks where they are nothing else ([`crate::predict::translate::locks`]), and atomics elsewhere.

use crate::detect::clocks::rounds::Rounds;
use crate::model::calls::CallStack;
use crate::model::locks::{Change, Held, LockState};
use crate::model::meaning::{Acquire, LockToldBy, OfLock, Release, TouchedBy, WokenOn};
use crate::model::sites::{SiteId, SiteKind, SiteTable};
use crate::model::{AtomicKind, Event, EventKind, LockMode, Records, ThreadId};
use crate::predict::translate::locks::{Learning, Locks};
use crate::trace::{Detail, Entry, TraceError, TraceReader};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

/// Something that orders or conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A plain access; a range by a bulk instruction or the host is one.
    Access {
        addr: u32,
        len: u32,
        write: bool,
    },
    /// The end of a heap block.
    Free {
        addr: u32,
        len: u32,
    },
    /// An atomic one.
    Atomic {
        addr: u32,
        len: u32,
        kind: AtomicKind,
    },
    Acquire {
        lock: u32,
        shared: bool,
        /// It would not have waited.
        fallible: bool,
    },
    Release {
        lock: u32,
        shared: bool,
    },
    /// Somebody may use the lock's address for another one.
    LockEnd(u32),
    /// What takes or leaves a lock accesses its word, which is all that it does beside that.
    LockAccess {
        addr: u32,
        len: u32,
    },
    /// Orders what came before after which [`Step::Await`] follows.
    Signal(Condition),
    Await(Condition),
    /// The same to schedules, which keep it after the signal before; it does not happen after that.
    Needs(Condition),
    Fork(ThreadId),
    Join(ThreadId),
    /// These bytes are new.
    New {
        addr: u32,
        len: u32,
    },
    /// Races within these bytes are wanted.
    Benign {
        addr: u32,
        len: u32,
    },
    /// The thread ended.
    End,
}

/// What threads signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Condition {
    /// By a thread that woke others there.
    Wake(WokenOn, ThreadId),
    /// A round of a barrier, by number; gathers what several signal.
    Round(u32),
    Condvar(u32),
    /// Taking a lock, to those who find it taken.
    Taking(u32),
    /// Of annotations and the like; gathers what several signal.
    Object(u32),
}

#[derive(Clone, Debug, Default)]
struct Thread {
    locks: LockState,
    calls: CallStack,
}

/// What is known of locks.
enum Known {
    /// In a first reading, words are atomics.
    Learning(Learning),
    Learned(Arc<Locks>),
}

/// Follows threads, and says what can be seen of them.
pub(crate) struct Tracker {
    threads: Vec<Thread>,
    locks: Known,
    /// Whether locks remember where they were taken.
    stacks: bool,
    lock_names: FxHashMap<u32, String>,
    thread_names: FxHashMap<ThreadId, String>,
    blocks: Blocks,
    /// Each with its number.
    rounds: Rounds<Option<u32>>,
    next_round: u32,
}

/// Heap blocks that are not freed, and their sizes.
#[derive(Default)]
struct Blocks(BTreeMap<u32, u32>);

/// Heap blocks that are known at once, as many as the live analysis knows; the end of others is no access.
const MAX_BLOCKS: usize = 1 << 20;

impl Blocks {
    /// A block begins; those that it covers are gone.
    fn alloc(&mut self, addr: u32, size: u32) {
        let end = addr.saturating_add(size.max(1));
        while let Some((&start, _)) = (self.0.range(..end).next_back())
            .filter(|&(&start, &size)| start == addr || start.saturating_add(size) > addr)
        {
            self.0.remove(&start);
        }
        if self.0.len() < MAX_BLOCKS {
            self.0.insert(addr, size);
        }
    }

    /// The size of the block that ends, if it is one.
    fn free(&mut self, addr: u32) -> Option<u32> {
        self.0.remove(&addr)
    }
}

/// Names that are kept.
const MAX_NAMES: usize = 1 << 16;

/// The calls of a thread, innermost first, as a trace without calls knows them.
type Calls<'a> = &'a dyn Fn() -> Vec<SiteId>;

/// Where a step is, to those who take it.
pub(crate) struct At<'a> {
    pub(crate) thread: ThreadId,
    /// The instruction, or the innermost call.
    pub(crate) site: Option<SiteId>,
    tracker: &'a Tracker,
    known: Option<Calls<'a>>,
    instruction: bool,
}

impl At<'_> {
    /// Where it is, innermost first.
    pub(in crate::predict) fn stack(&self) -> Vec<SiteId> {
        let own = self.site.filter(|_| self.instruction);
        let calls = self.tracker.calls(self.thread, self.known);
        own.into_iter().chain(calls).collect()
    }

    /// What the lock is called.
    pub(in crate::predict) fn lock_name(&self, lock: u32) -> Option<String> {
        self.tracker.lock_names.get(&lock).cloned()
    }

    /// What the thread holds.
    pub(in crate::predict) fn held(&self) -> &[Held] {
        let thread = self.tracker.threads.get(self.thread.0 as usize);
        thread.map_or(&[], |thread| thread.locks.held())
    }
}

/// A trace as its visible steps.
pub(in crate::predict) struct Visible<R: Read> {
    reader: TraceReader<R>,
    tracker: Tracker,
}

impl<R: Read> Visible<R> {
    /// For a first reading, in which lock words are learned.
    pub(in crate::predict) fn learning(reader: TraceReader<R>) -> Self {
        Visible::over(
            reader,
            Tracker::over(Known::Learning(Learning::default()), false),
        )
    }

    /// For a further one.
    pub(in crate::predict) fn new(reader: TraceReader<R>, locks: Arc<Locks>, stacks: bool) -> Self {
        Visible::over(reader, Tracker::over(Known::Learned(locks), stacks))
    }

    fn over(mut reader: TraceReader<R>, tracker: Tracker) -> Self {
        if reader.header().detail == Detail::Full {
            reader.ignore_calls();
        }
        Visible { reader, tracker }
    }

    /// What was learned of locks, or known.
    pub(in crate::predict) fn into_locks(self) -> Arc<Locks> {
        let light = self.reader.header().detail == Detail::Light;
        match self.tracker.locks {
            Known::Learning(learning) => Arc::new(learning.finish(!light)),
            Known::Learned(locks) => locks,
        }
    }

    /// What the thread was called last.
    pub(in crate::predict) fn thread_name(&self, thread: ThreadId) -> Option<&String> {
        self.tracker.thread_names.get(&thread)
    }

    pub(in crate::predict) fn reader(&self) -> &TraceReader<R> {
        &self.reader
    }

    /// Gives `take` the visible steps of the next entry. False at the end.
    pub(in crate::predict) fn next(
        &mut self,
        mut take: impl FnMut(At<'_>, Step),
    ) -> Result<bool, TraceError> {
        let Visible { reader, tracker } = self;
        if !reader.advance()? {
            return Ok(false);
        }
        match reader.entry() {
            Entry::Records(thread) => {
                tracker.records(reader.sites(), *thread, reader.records(), &mut take);
            }
            Entry::Event(event) => {
                let calls = || reader.stack(event.thread);
                let light = reader.header().detail == Detail::Light;
                let known = light.then_some(&calls as Calls<'_>);
                tracker.event(event, known, &mut take);
            }
            _ => {}
        }
        Ok(true)
    }
}

impl Tracker {
    /// For a trace of which these are the lock words.
    pub(crate) fn new(locks: Arc<Locks>) -> Self {
        Tracker::over(Known::Learned(locks), false)
    }

    fn over(locks: Known, stacks: bool) -> Self {
        Tracker {
            threads: Vec::new(),
            locks,
            stacks,
            lock_names: FxHashMap::default(),
            thread_names: FxHashMap::default(),
            blocks: Blocks::default(),
            rounds: Rounds::default(),
            next_round: 0,
        }
    }

    fn thread(&mut self, thread: ThreadId) -> &mut Thread {
        let index = thread.0 as usize;
        if index >= self.threads.len() {
            self.threads.resize_with(index + 1, Thread::default);
        }
        &mut self.threads[index]
    }

    /// Calls of a thread, innermost first.
    fn calls(&self, thread: ThreadId, known: Option<Calls<'_>>) -> Vec<SiteId> {
        if let Some(known) = known {
            return known();
        }
        let state = self.threads.get(thread.0 as usize);
        state.map_or_else(Vec::new, |state| state.calls.sites().collect())
    }

    fn hidden(&self, thread: ThreadId) -> bool {
        let state = self.threads.get(thread.0 as usize);
        state.is_some_and(|state| state.locks.hidden())
    }

    /// Follows records, and gives `take` the accesses.
    pub(crate) fn records(
        &mut self,
        sites: &SiteTable,
        thread: ThreadId,
        records: Records<'_>,
        take: &mut impl FnMut(At<'_>, Step),
    ) {
        const WRITE: u8 = SiteKind::Write as u8;
        let visible = !self.hidden(thread);
        for region in records.regions() {
            for index in 0..region.len {
                let id = SiteId(region.first.0 + index as u32);
                let site = sites.packed(id);
                if site.kind() > WRITE {
                    self.thread(thread).calls.follow(id, site.kind());
                } else if visible {
                    let addr = region.operand(site).wrapping_add(site.displacement());
                    let step = self.access(addr, site.width(), site.kind() == WRITE);
                    take(self.at(thread, Some(id), None), step);
                }
            }
        }
    }

    #[inline]
    fn at<'a>(
        &'a self,
        thread: ThreadId,
        site: Option<SiteId>,
        known: Option<Calls<'a>>,
    ) -> At<'a> {
        At {
            thread,
            site: site.or_else(|| match known {
                Some(known) => known().first().copied(),
                None => self.threads.get(thread.0 as usize)?.calls.top(),
            }),
            tracker: self,
            known,
            instruction: site.is_some(),
        }
    }

    /// Follows an event, and gives `take` what it does.
    pub(crate) fn event(
        &mut self,
        event: &Event,
        known: Option<Calls<'_>>,
        take: &mut impl FnMut(At<'_>, Step),
    ) {
        let thread = event.thread;
        let site = event.kind.site();
        let hidden = self.thread(thread).locks.hidden();
        if let Known::Learning(learning) = &mut self.locks {
            learning.follow(event, hidden);
        }
        let mut steps: SmallVec<[Step; 4]> = SmallVec::new();
        let Thread { locks, calls } = &mut self.threads[thread.0 as usize];
        let stacks = self.stacks;
        let change = locks.follow(&event.kind, || match (stacks, known) {
            (false, _) => Vec::new(),
            (true, Some(known)) => site.into_iter().chain(known()).collect(),
            (true, None) => site.into_iter().chain(calls.sites()).collect(),
        });
        match change {
            Change::Nothing => {}
            Change::Taken { fallible } => {
                if let Some(held) = self.threads[thread.0 as usize].locks.held().last() {
                    self.taken(event, held, fallible, &mut steps);
                }
            }
            Change::Left { held, index } => {
                self.left(thread, &held, index);
                steps.extend(self.release(&held));
            }
            // Whoever has it has it no longer.
            Change::NotHeld => {
                if let Some(OfLock {
                    lock,
                    told_by: LockToldBy::Hooks,
                    ..
                }) = event.kind.locks()
                {
                    self.end_sections(lock, take);
                }
            }
        }
        if !self.only_moves_a_lock(event) {
            self.own(event, hidden, &mut steps, take);
            if let Some(Acquire::Join(child)) = event.kind.acquires()
                && child != thread
            {
                self.abandon(child, take);
            }
            self.order(event, hidden, &mut steps);
        }
        for step in steps {
            take(self.at(thread, site, known), step);
        }
    }

    /// What an event does besides what it orders.
    fn own(
        &mut self,
        event: &Event,
        hidden: bool,
        steps: &mut SmallVec<[Step; 4]>,
        take: &mut impl FnMut(At<'_>, Step),
    ) {
        match event.kind {
            EventKind::ThreadName { of, ref name } if self.thread_names.len() < MAX_NAMES => {
                self.thread_names.insert(of, name.clone());
            }
            EventKind::LockName { lock, ref name } if self.lock_names.len() < MAX_NAMES => {
                self.lock_names.insert(lock, name.clone());
            }
            EventKind::Alloc { addr, size } => {
                self.blocks.alloc(addr, size);
                steps.push(Step::New { addr, len: size });
            }
            EventKind::BenignRace { addr, len } => steps.push(Step::Benign { addr, len }),
            EventKind::LockFail { lock, .. } if !self.hidden(event.thread) => {
                steps.push(Step::Needs(Condition::Taking(lock)));
            }
            EventKind::LockDestroy { lock } => steps.push(Step::LockEnd(lock)),
            EventKind::LockInit { lock } => {
                self.end_sections(lock, take);
                steps.push(Step::LockEnd(lock));
            }
            EventKind::CondvarNotify { condvar, .. } if !hidden => {
                steps.push(Step::Signal(Condition::Condvar(condvar)));
            }
            _ => {}
        }
        let Some(touched) = event.kind.touches() else {
            return;
        };
        // A block is forgotten whoever frees it.
        let len = match touched.len {
            Some(len) => Some(len),
            None => self.blocks.free(touched.addr),
        };
        let Some(len) = len.filter(|_| !hidden) else {
            return;
        };
        let addr = touched.addr;
        steps.push(match touched.by {
            TouchedBy::Atomic(kind) => Step::Atomic { addr, len, kind },
            TouchedBy::Free => Step::Free { addr, len },
            TouchedBy::Bulk | TouchedBy::Host | TouchedBy::Object => {
                self.access(addr, len, touched.write)
            }
        });
    }

    /// What an event orders. Atomics are steps of their own, and locks are followed by what is held.
    fn order(&mut self, event: &Event, hidden: bool, steps: &mut SmallVec<[Step; 4]>) {
        let thread = event.thread;
        let acquire = event.kind.acquires();
        match acquire.filter(|one| !hidden || one.counts_hidden()) {
            Some(Acquire::Join(child)) if child != thread => steps.push(Step::Join(child)),
            Some(Acquire::Object(object)) => steps.push(Step::Await(Condition::Object(object))),
            Some(Acquire::Round(barrier)) => {
                self.rounds.leave(thread, barrier, |round| {
                    steps.extend(round.map(|round| Step::Await(Condition::Round(round))));
                });
            }
            Some(Acquire::Wake(on, by)) => steps.push(Step::Await(Condition::Wake(on, by))),
            Some(Acquire::Join(_) | Acquire::Bytes { .. } | Acquire::Lock { .. }) | None => {}
        }
        let release = event.kind.releases();
        match release.filter(|one| !hidden || one.counts_hidden()) {
            Some(Release::Create(child)) => steps.push(Step::Fork(child)),
            Some(Release::End) => {
                let ended = std::mem::take(self.thread(thread)).locks;
                let held = ended.held().iter().rev();
                steps.extend(held.flat_map(|held| self.release(held)));
                steps.push(Step::End);
            }
            Some(Release::Object(object)) => {
                steps.extend([
                    // Whoever waits needs all that signalled, not the last one only.
                    Step::Needs(Condition::Object(object)),
                    Step::Signal(Condition::Object(object)),
                ]);
            }
            Some(Release::Round(barrier)) => {
                let next = &mut self.next_round;
                let round = *(self.rounds.arrive(thread, barrier)).get_or_insert_with(|| {
                    *next += 1;
                    *next
                });
                steps.extend([
                    Step::Needs(Condition::Round(round)),
                    Step::Signal(Condition::Round(round)),
                ]);
            }
            Some(Release::Wake(on)) => steps.push(Step::Signal(Condition::Wake(on, thread))),
            Some(Release::Bytes { .. } | Release::Lock { .. }) | None => {}
        }
    }

    /// A plain access.
    #[inline]
    fn access(&mut self, addr: u32, len: u32, write: bool) -> Step {
        if let (true, Known::Learning(learning)) = (write, &mut self.locks) {
            learning.written(addr, len);
        }
        Step::Access { addr, len, write }
    }

    /// The access of what takes or leaves this lock, if it is a word that is nothing else.
    fn lock_access(&self, held: &Held) -> Option<Step> {
        let Known::Learned(locks) = &self.locks else {
            return None;
        };
        let addr = held.lock;
        let len = locks.word(addr).filter(|_| held.word)?;
        Some(Step::LockAccess { addr, len })
    }

    /// Whether the event is of the inside of a lock.
    fn only_moves_a_lock(&self, event: &Event) -> bool {
        let Some(addr) = event.kind.word() else {
            return false;
        };
        matches!(&self.locks, Known::Learned(locks) if locks.word(addr).is_some())
    }

    /// Whether to take the lock was a step; else it is only to be shown.
    fn is_step(&self, held: &Held) -> bool {
        !held.hidden && (!held.word || self.lock_access(held).is_some())
    }

    /// A thread has taken a lock.
    fn taken(&self, event: &Event, held: &Held, fallible: bool, steps: &mut SmallVec<[Step; 4]>) {
        if !self.is_step(held) {
            return;
        }
        if let Some(condvar) = event.kind.notified() {
            steps.push(Step::Needs(Condition::Condvar(condvar)));
        }
        steps.push(Step::Acquire {
            lock: held.lock,
            shared: held.mode == LockMode::Shared,
            fallible,
        });
        steps.extend(self.lock_access(held));
        if let Known::Learned(locks) = &self.locks
            && locks.has_failed(held.lock)
        {
            // Of several who share it, the last to take it may have left it before the others.
            let shared = held.mode == LockMode::Shared;
            steps.extend(shared.then_some(Step::Needs(Condition::Taking(held.lock))));
            steps.push(Step::Signal(Condition::Taking(held.lock)));
        }
    }

    /// A thread has left a lock; it took others after it from `index` on.
    fn left(&mut self, thread: ThreadId, gone: &Held, index: usize) {
        let excludes = |held: &Held| held.mode == LockMode::Exclusive && !held.hidden;
        let later = &self.threads[thread.0 as usize].locks.held()[index..];
        if let Known::Learning(learning) = &mut self.locks
            && excludes(gone)
            && later.iter().any(excludes)
        {
            learning.not_nested(gone.lock, gone.word);
        }
    }

    /// What it is to leave a lock.
    fn release(&self, held: &Held) -> impl Iterator<Item = Step> + use<> {
        let release = Step::Release {
            lock: held.lock,
            shared: held.mode == LockMode::Shared,
        };
        let steps = [self.lock_access(held), Some(release)];
        let is_step = self.is_step(held);
        steps.into_iter().flatten().filter(move |_| is_step)
    }

    /// A thread is joined: what it has, nobody will release. It may have to go through its library's own end still, so that the
    /// event of its end comes later.
    fn abandon(&mut self, joined: ThreadId, take: &mut impl FnMut(At<'_>, Step)) {
        for held in self.thread(joined).locks.abandon().iter().rev() {
            for step in self.release(held) {
                take(self.at(joined, None, None), step);
            }
        }
    }

    /// Nobody has this lock any more, whatever they did.
    fn end_sections(&mut self, lock: u32, take: &mut impl FnMut(At<'_>, Step)) {
        for holder in 0..self.threads.len() as u32 {
            let holder = ThreadId(holder);
            while let Some(Change::Left { held, index }) =
                self.threads[holder.0 as usize].locks.lose(lock)
            {
                self.left(holder, &held, index);
                for step in self.release(&held) {
                    take(self.at(holder, None, None), step);
                }
            }
        }
    }
}
