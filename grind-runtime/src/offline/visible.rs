//! What of a trace can be seen: accesses and synchronisation outside of hidden functions and of the insides of locks, in
//! the terms in which orders are defined.
//!
//! The rules are those of the live analysis (`analysis/context.rs`, `analysis/order.rs`): lock and condvar hooks hide
//! what is between their beginning and their end, and in hidden functions only creation and join of threads and
//! annotations make edges. Lock words are locks where they are nothing else ([`super::locks`]), and atomics elsewhere.

use super::locks::{Learning, Locks};
use crate::program::sites::{SiteId, SiteKind, SiteTable};
use crate::trace::calls::CallStack;
use crate::trace::file::{Detail, Entry, TraceError, TraceReader};
use crate::trace::{
    AtomicKind, Event, EventKind, LockChange, LockMode, RangeOrigin, Records, ThreadId, WaitOutcome,
};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
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
    Fence,
    Futex(u32),
    Condvar(u32),
    /// Of annotations, barriers and the like; gathers what several signal.
    Object(u32),
}

/// A hook that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    Lock(u32),
    Unlock(u32),
    Wait(u32),
    Notify(u32),
}

/// A lock that a thread has.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) lock: u32,
    pub(super) mode: LockMode,
    word: bool,
    /// Taking it was a step; else it is only to be shown.
    step: bool,
    count: u32,
    pub(super) stack: Vec<SiteId>,
}

#[derive(Clone, Debug, Default)]
struct Thread {
    hooks: Vec<Hook>,
    /// The outermost of them can fail.
    fallible: bool,
    hide: u32,
    calls: CallStack,
    held: Vec<Held>,
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
    pub(super) fn stack(&self) -> Vec<SiteId> {
        let own = self.site.filter(|_| self.instruction);
        let calls = self.tracker.calls(self.thread, self.known);
        own.into_iter().chain(calls).collect()
    }

    /// What the lock is called.
    pub(super) fn lock_name(&self, lock: u32) -> Option<String> {
        self.tracker.lock_names.get(&lock).cloned()
    }

    /// What the thread holds.
    pub(super) fn held(&self) -> &[Held] {
        let thread = self.tracker.threads.get(self.thread.0 as usize);
        thread.map_or(&[], |thread| &thread.held)
    }
}

/// A trace as its visible steps.
pub(super) struct Visible<R: Read> {
    reader: TraceReader<R>,
    tracker: Tracker,
}

impl<R: Read> Visible<R> {
    /// For a first reading, in which lock words are learned.
    pub(super) fn learning(reader: TraceReader<R>) -> Self {
        Visible::over(
            reader,
            Tracker::over(Known::Learning(Learning::default()), false),
        )
    }

    /// For a further one.
    pub(super) fn new(reader: TraceReader<R>, locks: Arc<Locks>, stacks: bool) -> Self {
        Visible::over(reader, Tracker::over(Known::Learned(locks), stacks))
    }

    fn over(mut reader: TraceReader<R>, tracker: Tracker) -> Self {
        if reader.header().detail == Detail::Full {
            reader.ignore_calls();
        }
        Visible { reader, tracker }
    }

    /// What was learned of locks, or known.
    pub(super) fn into_locks(self) -> Arc<Locks> {
        let light = self.reader.header().detail == Detail::Light;
        match self.tracker.locks {
            Known::Learning(learning) => Arc::new(learning.finish(!light)),
            Known::Learned(locks) => locks,
        }
    }

    /// What the thread was called last.
    pub(super) fn thread_name(&self, thread: ThreadId) -> Option<&String> {
        self.tracker.thread_names.get(&thread)
    }

    pub(super) fn reader(&self) -> &TraceReader<R> {
        &self.reader
    }

    /// Gives `take` the visible steps of the next entry. False at the end.
    pub(super) fn next(&mut self, mut take: impl FnMut(At<'_>, Step)) -> Result<bool, TraceError> {
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
        state.is_some_and(|state| state.hide > 0 || !state.hooks.is_empty())
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
                    let step = Step::Access {
                        addr: region.operand(site).wrapping_add(site.displacement()),
                        len: site.width(),
                        write: site.kind() == WRITE,
                    };
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
        let hidden = self.hidden(thread);
        let outermost = self.thread(thread).hooks.is_empty();
        if let Known::Learning(learning) = &mut self.locks {
            learning.follow(event, hidden);
        }
        let mut steps: SmallVec<[Step; 4]> = SmallVec::new();
        match event.kind {
            _ if self.only_moves_a_lock(event) => {}
            EventKind::ThreadName { of, ref name } if self.thread_names.len() < MAX_NAMES => {
                self.thread_names.insert(of, name.clone());
            }
            EventKind::LockName { lock, ref name } if self.lock_names.len() < MAX_NAMES => {
                self.lock_names.insert(lock, name.clone());
            }
            EventKind::ThreadCreate { child } => steps.push(Step::Fork(child)),
            EventKind::ThreadJoin { child } if child != thread => steps.push(Step::Join(child)),
            EventKind::ThreadExit(_) => {
                let held = std::mem::take(&mut self.thread(thread).held);
                let steps_taken = held.iter().rev().filter(|held| held.step);
                steps.extend(steps_taken.map(|held| release(held.lock, held.mode)));
                steps.push(Step::End);
                *self.thread(thread) = Thread::default();
            }
            EventKind::HappensBefore { object } => {
                steps.extend([
                    Step::Await(Condition::Object(object)),
                    Step::Signal(Condition::Object(object)),
                ]);
            }
            EventKind::HappensAfter { object } => {
                steps.push(Step::Await(Condition::Object(object)))
            }
            EventKind::Alloc { addr, size } => steps.push(Step::New { addr, len: size }),
            EventKind::BenignRace { addr, len } => steps.push(Step::Benign { addr, len }),
            EventKind::HideBegin => self.thread(thread).hide += 1,
            EventKind::HideEnd => {
                let state = self.thread(thread);
                state.hide = state.hide.saturating_sub(1);
            }
            EventKind::LockRequest { lock, fallible, .. } => {
                let state = self.thread(thread);
                if outermost {
                    state.fallible = fallible;
                }
                state.hooks.push(Hook::Lock(lock));
            }
            EventKind::LockAcquire { lock, mode } => {
                self.end_hook(thread, Hook::Lock(lock));
                if self.thread(thread).hooks.is_empty() {
                    let step = !self.hidden(thread);
                    let taken = self.take_lock((thread, None), known, (lock, mode), false, step);
                    let fallible = self.thread(thread).fallible;
                    steps.extend(taken.then(|| acquire(lock, mode, fallible)));
                }
            }
            EventKind::LockFail { lock, .. } => self.end_hook(thread, Hook::Lock(lock)),
            EventKind::LockRelease { lock, mode } => {
                if outermost {
                    let had = self.drop_lock(thread, (lock, mode), false);
                    steps.extend(had.map(|mode| release(lock, mode)));
                }
                self.thread(thread).hooks.push(Hook::Unlock(lock));
            }
            EventKind::LockReleased { lock } => self.end_hook(thread, Hook::Unlock(lock)),
            EventKind::CondvarWait { condvar, lock } => {
                if outermost {
                    let had = self.lose_lock(thread, lock);
                    steps.extend(had.map(|mode| release(lock, mode)));
                }
                self.thread(thread).hooks.push(Hook::Wait(condvar));
            }
            EventKind::CondvarWake {
                condvar,
                lock,
                timed_out,
            } => {
                self.end_hook(thread, Hook::Wait(condvar));
                let mode = LockMode::Exclusive;
                let step = !self.hidden(thread);
                if self.thread(thread).hooks.is_empty()
                    && self.take_lock((thread, None), known, (lock, mode), false, step)
                {
                    steps.extend((!timed_out).then_some(Step::Await(Condition::Condvar(condvar))));
                    steps.push(acquire(lock, mode, false));
                }
            }
            EventKind::CondvarNotify { condvar, .. } => {
                steps.extend((!hidden).then_some(Step::Signal(Condition::Condvar(condvar))));
                self.thread(thread).hooks.push(Hook::Notify(condvar));
            }
            EventKind::CondvarNotified { condvar } => self.end_hook(thread, Hook::Notify(condvar)),
            EventKind::LockWord { lock, change, .. } => {
                let access = self.lock_word(lock);
                match change {
                    LockChange::Taken { mode, fallible } if outermost => {
                        let step = !hidden && access.is_some();
                        if self.take_lock((thread, site), known, (lock, mode), true, step) {
                            steps.push(acquire(lock, mode, fallible));
                            steps.extend(access);
                        }
                    }
                    LockChange::Left { mode } => {
                        if let Some(mode) = self.drop_lock(thread, (lock, mode), true) {
                            steps.extend(access);
                            steps.push(release(lock, mode));
                        }
                    }
                    LockChange::Wanted { .. } | LockChange::Taken { .. } => {}
                }
            }
            EventKind::LockDestroy { lock } => steps.push(Step::LockEnd(lock)),
            EventKind::LockInit { lock } => {
                // Nobody has what begins.
                for holder in 0..self.threads.len() as u32 {
                    let holder = ThreadId(holder);
                    if let Some(mode) = self.lose_lock(holder, lock) {
                        take(self.at(holder, None, None), release(lock, mode));
                    }
                }
                steps.push(Step::LockEnd(lock));
            }
            _ if hidden => {}
            EventKind::Atomic {
                addr, width, kind, ..
            } => steps.push(Step::Atomic {
                addr,
                len: width.into(),
                kind,
            }),
            EventKind::WaitBegin { addr, width, .. }
            | EventKind::WaitEnd {
                addr,
                width,
                outcome: WaitOutcome::NotEqual,
                ..
            } => {
                steps.push(Step::Atomic {
                    addr,
                    len: width.into(),
                    kind: AtomicKind::Load,
                });
            }
            EventKind::WaitEnd {
                addr,
                outcome: WaitOutcome::Woken,
                ..
            } => {
                steps.push(Step::Await(Condition::Futex(addr)));
            }
            EventKind::Notify { addr, woken, .. } if woken > 0 => {
                steps.push(Step::Signal(Condition::Futex(addr)));
            }
            EventKind::Fence { .. } => {
                steps.extend([
                    Step::Await(Condition::Fence),
                    Step::Signal(Condition::Fence),
                ]);
            }
            EventKind::Range {
                origin: RangeOrigin::Bulk(_) | RangeOrigin::Host,
                addr,
                len,
                write,
            } => {
                steps.push(Step::Access { addr, len, write });
            }
            _ => {}
        }
        for step in steps {
            take(self.at(thread, site, known), step);
        }
    }

    fn end_hook(&mut self, thread: ThreadId, hook: Hook) {
        let hooks = &mut self.thread(thread).hooks;
        if hooks.last() == Some(&hook) {
            hooks.pop();
        }
    }

    /// The access of what takes or leaves this lock, if it is a word that is nothing else.
    fn lock_word(&self, lock: u32) -> Option<Step> {
        let Known::Learned(locks) = &self.locks else {
            return None;
        };
        let access = |len| Step::LockAccess { addr: lock, len };
        locks.word(lock).map(access)
    }

    /// Whether the event is of the inside of a lock.
    fn only_moves_a_lock(&self, event: &Event) -> bool {
        let (EventKind::Atomic { addr, .. }
        | EventKind::WaitBegin { addr, .. }
        | EventKind::WaitEnd { addr, .. }
        | EventKind::Notify { addr, .. }) = event.kind
        else {
            return false;
        };
        matches!(&self.locks, Known::Learned(locks) if locks.word(addr).is_some())
    }

    /// True if the thread did not have the lock before, and to take it is a step.
    fn take_lock(
        &mut self,
        (thread, site): (ThreadId, Option<SiteId>),
        known: Option<Calls<'_>>,
        (lock, mode): (u32, LockMode),
        word: bool,
        step: bool,
    ) -> bool {
        let stack = match self.stacks {
            true => (site.into_iter().chain(self.calls(thread, known))).collect(),
            false => Vec::new(),
        };
        let held = &mut self.thread(thread).held;
        let same = |held: &&mut Held| (held.lock, held.word) == (lock, word);
        if let Some(held) = held.iter_mut().find(same) {
            held.count += 1;
            return false;
        }
        held.push(Held {
            lock,
            mode,
            word,
            step,
            count: 1,
            stack,
        });
        step
    }

    /// How the thread had the lock, if it has it no longer, and to take it was a step.
    fn drop_lock(
        &mut self,
        thread: ThreadId,
        (lock, mode): (u32, LockMode),
        word: bool,
    ) -> Option<LockMode> {
        let held = &mut self.thread(thread).held;
        let of = |mode: Option<LockMode>| {
            held.iter().rposition(|held| {
                (held.lock, held.word) == (lock, word) && mode.is_none_or(|mode| held.mode == mode)
            })
        };
        let index = of(Some(mode)).or_else(|| of(None))?;
        held[index].count -= 1;
        if held[index].count > 0 {
            return None;
        }
        let gone = self.remove_lock(thread, index);
        gone.step.then_some(gone.mode)
    }

    /// The thread has this lock no longer, however often it took it: how it had it, if to take it was a step.
    fn lose_lock(&mut self, thread: ThreadId, lock: u32) -> Option<LockMode> {
        let held = &self.threads[thread.0 as usize].held;
        let index = held
            .iter()
            .rposition(|held| held.lock == lock && !held.word)?;
        let gone = self.remove_lock(thread, index);
        gone.step.then_some(gone.mode)
    }

    /// The thread has its lock of this index no longer.
    fn remove_lock(&mut self, thread: ThreadId, index: usize) -> Held {
        let state = &mut self.threads[thread.0 as usize];
        let gone = state.held.remove(index);
        let excludes = |held: &Held| held.mode == LockMode::Exclusive && (held.step || held.word);
        if let Known::Learning(learning) = &mut self.locks
            && excludes(&gone)
            && state.held[index..].iter().any(excludes)
        {
            learning.not_nested(gone.lock, gone.word);
        }
        gone
    }
}

fn acquire(lock: u32, mode: LockMode, fallible: bool) -> Step {
    let shared = mode == LockMode::Shared;
    Step::Acquire {
        lock,
        shared,
        fallible,
    }
}

fn release(lock: u32, mode: LockMode) -> Step {
    let shared = mode == LockMode::Shared;
    Step::Release { lock, shared }
}
