//! What of a trace can be seen: accesses and synchronisation outside of hidden functions and of the insides of locks, in
//! the terms in which orders are defined.
//!
//! The rules are those of the live analysis (`analysis/context.rs`, `analysis/order.rs`): lock and condvar hooks hide
//! what is between their beginning and their end, and in hidden functions only creation and join of threads and
//! annotations make edges.

use crate::program::sites::{SiteId, SiteKind, SiteTable};
use crate::trace::calls::CallStack;
use crate::trace::file::{Detail, Entry, TraceError, TraceReader};
use crate::trace::{
    AtomicKind, Event, EventKind, LockChange, LockMode, RangeOrigin, Records, ThreadId, WaitOutcome,
};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::io::Read;

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
    },
    Release {
        lock: u32,
        shared: bool,
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
    /// To be shown only: it is not among the steps.
    word: bool,
    count: u32,
    pub(super) stack: Vec<SiteId>,
}

#[derive(Clone, Debug, Default)]
struct Thread {
    hooks: Vec<Hook>,
    hide: u32,
    calls: CallStack,
    held: Vec<Held>,
}

/// Follows threads, and says what can be seen of them.
pub(crate) struct Tracker {
    threads: Vec<Thread>,
    /// Whether locks remember where they were taken.
    stacks: bool,
    lock_names: FxHashMap<u32, String>,
    thread_names: FxHashMap<ThreadId, String>,
}

/// Names that are kept.
const MAX_NAMES: usize = 1 << 16;

/// The calls of a thread, innermost first, as a trace without calls knows them.
type Known<'a> = &'a dyn Fn() -> Vec<SiteId>;

/// Where a step is, to those who take it.
pub(crate) struct At<'a> {
    pub(crate) thread: ThreadId,
    /// The instruction, or the innermost call.
    pub(crate) site: Option<SiteId>,
    tracker: &'a Tracker,
    known: Option<Known<'a>>,
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
    pub(super) fn new(mut reader: TraceReader<R>, stacks: bool) -> Self {
        if reader.header().detail == Detail::Full {
            reader.ignore_calls();
        }
        let tracker = Tracker::new(stacks);
        Visible { reader, tracker }
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
                let known = light.then_some(&calls as Known<'_>);
                tracker.event(event, known, &mut take);
            }
            _ => {}
        }
        Ok(true)
    }
}

impl Tracker {
    pub(crate) fn new(stacks: bool) -> Self {
        Tracker {
            threads: Vec::new(),
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
    fn calls(&self, thread: ThreadId, known: Option<Known<'_>>) -> Vec<SiteId> {
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
        known: Option<Known<'a>>,
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
        known: Option<Known<'_>>,
        take: &mut impl FnMut(At<'_>, Step),
    ) {
        let thread = event.thread;
        let site = event.kind.site();
        let hidden = self.hidden(thread);
        let outermost = self.thread(thread).hooks.is_empty();
        let mut steps: SmallVec<[Step; 4]> = SmallVec::new();
        match event.kind {
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
                let stepped = held.iter().rev().filter(|held| !held.word);
                steps.extend(stepped.map(|held| release(held.lock, held.mode)));
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
            EventKind::HideBegin => self.thread(thread).hide += 1,
            EventKind::HideEnd => {
                let state = self.thread(thread);
                state.hide = state.hide.saturating_sub(1);
            }
            EventKind::LockRequest { lock, .. } => self.thread(thread).hooks.push(Hook::Lock(lock)),
            EventKind::LockAcquire { lock, mode } => {
                self.end_hook(thread, Hook::Lock(lock));
                if self.thread(thread).hooks.is_empty()
                    && self.take_lock((thread, None), known, (lock, mode), false)
                {
                    steps.extend((!self.hidden(thread)).then(|| acquire(lock, mode)));
                }
            }
            EventKind::LockFail { lock, .. } => self.end_hook(thread, Hook::Lock(lock)),
            EventKind::LockRelease { lock, mode } => {
                if outermost && self.drop_lock(thread, (lock, mode), false) {
                    steps.extend((!hidden).then(|| release(lock, mode)));
                }
                self.thread(thread).hooks.push(Hook::Unlock(lock));
            }
            EventKind::LockReleased { lock } => self.end_hook(thread, Hook::Unlock(lock)),
            EventKind::CondvarWait { condvar, lock } => {
                let state = self.thread(thread);
                let index = (state.held.iter()).rposition(|held| held.lock == lock && !held.word);
                if let (true, Some(index)) = (outermost, index) {
                    let held = state.held.remove(index);
                    steps.extend((!hidden).then(|| release(lock, held.mode)));
                }
                self.thread(thread).hooks.push(Hook::Wait(condvar));
            }
            EventKind::CondvarWake {
                condvar,
                lock,
                timed_out,
            } => {
                self.end_hook(thread, Hook::Wait(condvar));
                if self.thread(thread).hooks.is_empty()
                    && self.take_lock((thread, None), known, (lock, LockMode::Exclusive), false)
                    && !self.hidden(thread)
                {
                    steps.extend((!timed_out).then_some(Step::Await(Condition::Condvar(condvar))));
                    steps.push(acquire(lock, LockMode::Exclusive));
                }
            }
            EventKind::CondvarNotify { condvar, .. } => {
                steps.extend((!hidden).then_some(Step::Signal(Condition::Condvar(condvar))));
                self.thread(thread).hooks.push(Hook::Notify(condvar));
            }
            EventKind::CondvarNotified { condvar } => self.end_hook(thread, Hook::Notify(condvar)),
            // To be shown only: the atomics order what these locks order.
            EventKind::LockWord { lock, change, .. } => match change {
                LockChange::Taken { mode, .. } if outermost => {
                    self.take_lock((thread, site), known, (lock, mode), true);
                }
                LockChange::Left { mode } => {
                    self.drop_lock(thread, (lock, mode), true);
                }
                LockChange::Wanted { .. } | LockChange::Taken { .. } => {}
            },
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

    /// True if the thread did not have the lock before.
    fn take_lock(
        &mut self,
        (thread, site): (ThreadId, Option<SiteId>),
        known: Option<Known<'_>>,
        (lock, mode): (u32, LockMode),
        word: bool,
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
            count: 1,
            stack,
        });
        true
    }

    /// True if the thread has the lock no longer, and had it.
    fn drop_lock(&mut self, thread: ThreadId, (lock, mode): (u32, LockMode), word: bool) -> bool {
        let held = &mut self.thread(thread).held;
        let of = |mode: Option<LockMode>| {
            held.iter().rposition(|held| {
                (held.lock, held.word) == (lock, word) && mode.is_none_or(|mode| held.mode == mode)
            })
        };
        let Some(index) = of(Some(mode)).or_else(|| of(None)) else {
            return false;
        };
        held[index].count -= 1;
        let last = held[index].count == 0;
        if last {
            held.remove(index);
        }
        last
    }
}

fn acquire(lock: u32, mode: LockMode) -> Step {
    let shared = mode == LockMode::Shared;
    Step::Acquire { lock, shared }
}

fn release(lock: u32, mode: LockMode) -> Step {
    let shared = mode == LockMode::Shared;
    Step::Release { lock, shared }
}
