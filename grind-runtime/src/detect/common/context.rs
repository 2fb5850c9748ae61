//! Where each thread is: its call stack, what it holds, what it asks for, and whether it is hidden.
//!
//! Every detector reads this, and none writes it. The call stack follows the `Call` and `Return` records;
//! held locks follow the hooks, or the words that locks without hooks are, each with the stack where it was taken.
//!
//! **Hidden.** Two things hide: `HideBegin`..`HideEnd`, and lock and condvar
//! hooks from their beginning (`LockRequest`, `LockRelease`, `CondvarWait`, `CondvarNotify`) to their end.
//! All nest. Hooks *within* a hook are a lock's own insides: they count for nesting only. Hooks within a
//! hidden function keep the list of held locks right, but make no edges.
//!
//! **Cost**: a push or a pop per call. Stacks are copied when a lock is taken or a thread created.

use crate::detect::common::diagnosis::{
    HeapBlock, HeldLock, Misuse, Stack, StackPlace, ThreadInfo, TrappedThread,
};
use crate::detect::common::limits::Limits;
use crate::model::locks::{Change, Held, Hook, LockState, Wanted};
use crate::model::meaning::{LockStep, LockToldBy, OfLock, TouchedBy, WaitStep};
use crate::model::sites::SiteId;
use crate::model::{Event, EventKind, ThreadEnd, ThreadId};
use rustc_hash::{FxHashMap, FxHasher};
use std::collections::BTreeSet;
use std::hash::Hasher;
use std::ops::Range;

/// One thread.
#[derive(Debug, Default)]
pub(in crate::detect) struct ThreadContext {
    calls: Vec<SiteId>,
    /// Calls beyond the kept ones.
    deeper: usize,
    max_calls: usize,
    max_frames: usize,
    locks: LockState,
    /// The wait instruction it is in.
    waiting: Option<SiteId>,
    /// Records and atomic instructions since it entered the hook that it is in.
    tries: u64,
    name: Option<String>,
    /// What it said before it traps.
    message: Option<String>,
    created: Option<(ThreadId, Stack)>,
    /// Bytes of its stack in memory, as far as it was used.
    memory: Range<u32>,
    known: bool,
    ended: bool,
    trapped: bool,
    too_deep: bool,
}

impl ThreadContext {
    #[cfg(test)]
    pub(in crate::detect) fn for_tests() -> Self {
        ThreadContext {
            max_calls: 64,
            max_frames: 64,
            ..ThreadContext::default()
        }
    }

    #[inline]
    pub(in crate::detect) fn call(&mut self, site: SiteId) {
        if self.calls.len() < self.max_calls {
            self.calls.push(site);
        } else {
            self.deeper += 1;
            self.too_deep = true;
        }
    }

    #[inline]
    pub(in crate::detect) fn ret(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.calls.pop();
        }
    }

    /// Whether what it does now is not to be seen.
    #[inline]
    pub(in crate::detect) fn hidden(&self) -> bool {
        self.locks.hidden()
    }

    /// Whether it is inside a lock or condvar hook, where further hooks are not its own.
    pub(in crate::detect) fn in_hook(&self) -> bool {
        self.locks.in_hook()
    }

    /// The stack of something done at `site`, or by the host call on top if there is none.
    pub(in crate::detect) fn stack(&self, site: Option<SiteId>) -> Stack {
        stack_of(&self.calls, site, self.max_frames).collect()
    }

    /// Writes what [`ThreadContext::stack`] returns over another stack.
    pub(in crate::detect) fn copy_stack(&self, site: Option<SiteId>, stack: &mut Stack) {
        stack.clear();
        stack.extend(stack_of(&self.calls, site, self.max_frames));
    }

    /// All calls, innermost first, if no limit cut them.
    fn whole_stack(&self) -> Option<Stack> {
        let whole = self.deeper == 0 && self.calls.len() < self.max_frames;
        whole.then(|| self.stack(None))
    }

    /// Hash of what [`ThreadContext::stack`] returns.
    pub(in crate::detect) fn stack_hash(&self, site: Option<SiteId>) -> u64 {
        let mut hasher = FxHasher::default();
        for frame in stack_of(&self.calls, site, self.max_frames) {
            hasher.write_u32(frame.0);
        }
        hasher.finish()
    }

    /// Whether [`ThreadContext::stack`] without a site returns this.
    pub(in crate::detect) fn has_stack(&self, stack: &[SiteId]) -> bool {
        stack_of(&self.calls, None, self.max_frames).eq(stack.iter().copied())
    }

    /// The site of the innermost call.
    pub(in crate::detect) fn top(&self) -> Option<SiteId> {
        self.calls.last().copied()
    }

    pub(in crate::detect) fn held(&self) -> &[Held] {
        self.locks.held()
    }

    /// The outermost hook that it is in.
    pub(in crate::detect) fn hook(&self) -> Option<&Hook> {
        self.locks.hook()
    }

    /// The wait instruction it is in, if any.
    pub(in crate::detect) fn waiting(&self) -> Option<SiteId> {
        self.waiting
    }

    /// How much it has done since it entered the hook that it is in: much, if it spins.
    pub(in crate::detect) fn tries(&self) -> u64 {
        self.tries
    }

    /// It made so many records.
    #[inline]
    pub(in crate::detect) fn recorded(&mut self, records: u64) {
        self.tries = self.tries.saturating_add(records);
    }

    /// Whether it has ended.
    pub(in crate::detect) fn ended(&self) -> bool {
        self.ended
    }

    /// The lock without hooks that it asks for.
    pub(in crate::detect) fn wanted(&self) -> Option<&Wanted> {
        self.locks.wanted()
    }

    /// Follows one of its own events. False if it releases a lock that it does not hold.
    fn follow(&mut self, kind: &EventKind) -> bool {
        match (kind.waits(), kind.touches().map(|touched| touched.by)) {
            (Some(WaitStep::Begin { .. }), _) => self.waiting = kind.site(),
            (Some(WaitStep::End { .. }), _) => self.waiting = None,
            (None, Some(TouchedBy::Atomic(_))) => self.tries = self.tries.saturating_add(1),
            _ if matches!(kind, EventKind::LockRequest { .. }) && !self.locks.in_hook() => {
                self.tries = 0;
            }
            _ => {}
        }
        let ThreadContext {
            locks,
            calls,
            max_frames,
            ..
        } = self;
        let stack = || stack_of(calls, kind.site(), *max_frames).collect();
        let change = locks.follow(kind, stack);
        !matches!(change, Change::NotHeld)
    }
}

/// What was called, and where it is if that is none of them: innermost first.
fn stack_of(
    calls: &[SiteId],
    site: Option<SiteId>,
    max_frames: usize,
) -> impl Iterator<Item = SiteId> {
    site.into_iter()
        .chain(calls.iter().rev().copied())
        .take(max_frames)
}

/// What an event turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) struct Followed {
    /// It is hidden: it makes no access and no edges.
    pub(in crate::detect) hidden: bool,
    /// It breaks a rule of this lock. Its holders have it still.
    pub(in crate::detect) misuse: Option<(Misuse, u32)>,
}

/// All threads.
#[derive(Debug)]
pub(in crate::detect) struct Contexts {
    threads: Vec<ThreadContext>,
    /// Those that have not ended, or hold locks still; the others need not be looked through.
    standing: BTreeSet<ThreadId>,
    lock_names: FxHashMap<u32, String>,
    max_threads: u32,
    max_calls: usize,
    max_frames: usize,
    max_names: usize,
    names_dropped: u64,
}

impl Contexts {
    pub(in crate::detect) fn new(limits: &Limits) -> Self {
        Contexts {
            threads: Vec::new(),
            standing: BTreeSet::new(),
            lock_names: FxHashMap::default(),
            max_threads: limits.threads,
            max_calls: limits.call_depth,
            max_frames: limits.stack_frames.max(1),
            max_names: limits.annotations,
            names_dropped: 0,
        }
    }

    /// The thread's context, made if it is new; none beyond the limit of threads.
    #[inline]
    pub(in crate::detect) fn get_mut(&mut self, thread: ThreadId) -> Option<&mut ThreadContext> {
        let index = thread.0 as usize;
        if index >= self.threads.len() {
            if thread.0 >= self.max_threads {
                return None;
            }
            self.threads.resize_with(index + 1, ThreadContext::default);
        }
        let context = &mut self.threads[index];
        if !context.known {
            context.known = true;
            self.standing.insert(thread);
            context.max_calls = self.max_calls;
            context.max_frames = self.max_frames;
        }
        Some(context)
    }

    /// The thread's context, if it has one.
    #[inline]
    pub(in crate::detect) fn get(&self, thread: ThreadId) -> Option<&ThreadContext> {
        self.threads
            .get(thread.0 as usize)
            .filter(|context| context.known)
    }

    /// Threads that have not ended or hold locks still, by id.
    fn standing(&self) -> impl Iterator<Item = (ThreadId, &ThreadContext)> {
        (self.standing.iter()).map(|&thread| (thread, &self.threads[thread.0 as usize]))
    }

    /// Says where a thread is, calls innermost first.
    pub(in crate::detect) fn place(&mut self, thread: ThreadId, calls: &[SiteId]) {
        if let Some(context) = self.get_mut(thread) {
            context.calls.clear();
            context.calls.extend(calls.iter().rev());
        }
    }

    /// All threads, by id.
    pub(in crate::detect) fn iter(&self) -> impl Iterator<Item = (ThreadId, &ThreadContext)> {
        (0..)
            .map(ThreadId)
            .zip(&self.threads)
            .filter(|(_, context)| context.known)
    }

    /// Follows an event.
    pub(in crate::detect) fn follow(&mut self, event: &Event) -> Followed {
        let Some(context) = self.get_mut(event.thread) else {
            return Followed {
                hidden: true,
                misuse: None,
            };
        };
        let before = context.hidden();
        let held = context.follow(&event.kind);
        // The end of a hook sees what was outside it, the beginning as well.
        let after = context.hidden();
        match &event.kind {
            EventKind::ThreadCreate { child } => {
                let stack = context.stack(None);
                if let Some(created) = self.get_mut(*child) {
                    created.created = Some((event.thread, stack));
                }
            }
            EventKind::Panicked { message } => context.message = Some(message.clone()),
            EventKind::ThreadExit(end) => {
                if let Some(context) = self.get_mut(event.thread) {
                    context.ended = true;
                    context.trapped = matches!(end, ThreadEnd::Trapped { .. });
                    // What was its stack may be another's, or a heap block.
                    context.memory = 0..0;
                    context.calls = Vec::new();
                    context.locks.end_thread();
                    if context.held().is_empty() {
                        self.standing.remove(&event.thread);
                    }
                }
            }
            EventKind::ThreadStack { low, high } => {
                if let Some(context) = self.get_mut(event.thread) {
                    context.memory = *low..*high;
                }
            }
            EventKind::ThreadName { of, name } => {
                if let Some(named) = self.get_mut(*of) {
                    named.name = Some(name.clone());
                }
            }
            EventKind::LockName { lock, name } => {
                if self.lock_names.len() < self.max_names || self.lock_names.contains_key(lock) {
                    self.lock_names.insert(*lock, name.clone());
                } else {
                    self.names_dropped += 1;
                }
            }
            EventKind::LockInit { lock } => self.force_release(*lock),
            _ => {}
        }
        // Whoever waits without the lock does not release it.
        let misuse = self.misuse(event, held);
        let nothing = matches!(misuse, Some((Misuse::CondvarWaitWithoutLock { .. }, _)));
        Followed {
            hidden: before && after || nothing,
            misuse,
        }
    }

    /// The rule that an event breaks. `held`: what its thread follows says that it may.
    fn misuse(&self, event: &Event, held: bool) -> Option<(Misuse, u32)> {
        let is_held = |lock| self.holders(lock).next().is_some();
        if let Some(OfLock {
            lock,
            step: LockStep::Leave { .. },
            told_by,
        }) = event.kind.locks()
        {
            let misuse = match told_by {
                _ if held => return None,
                LockToldBy::Word { .. } => return None,
                LockToldBy::Condvar { condvar } => Misuse::CondvarWaitWithoutLock { condvar },
                LockToldBy::Hooks if is_held(lock) => Misuse::UnlockByOtherThread,
                LockToldBy::Hooks => Misuse::UnlockNotHeld,
            };
            return Some((misuse, lock));
        }
        match event.kind {
            EventKind::LockNotReleased { lock } if is_held(lock) => {
                Some((Misuse::UnlockByOtherThread, lock))
            }
            EventKind::LockNotReleased { lock } => Some((Misuse::UnlockNotHeld, lock)),
            EventKind::LockDestroy { lock } => {
                let inner = self.get(event.thread).is_some_and(ThreadContext::in_hook);
                (!inner && is_held(lock)).then_some((Misuse::DestroyHeldLock, lock))
            }
            _ => None,
        }
    }

    /// Whether the thread trapped.
    pub(in crate::detect) fn has_trapped(&self, thread: ThreadId) -> bool {
        self.get(thread).is_some_and(|context| context.trapped)
    }

    /// What the thread holds.
    pub(in crate::detect) fn locks(&self, thread: ThreadId) -> Vec<HeldLock> {
        self.held(thread)
            .iter()
            .map(|held| HeldLock {
                lock: held.lock,
                name: self.lock_name(held.lock),
                mode: held.mode,
                stack: held.stack.clone(),
            })
            .collect()
    }

    /// What the thread holds, in the order taken.
    pub(in crate::detect) fn held(&self, thread: ThreadId) -> &[Held] {
        self.get(thread).map_or(&[], ThreadContext::held)
    }

    /// The thread's calls, outermost first.
    pub(in crate::detect) fn calls(&self, thread: ThreadId) -> &[SiteId] {
        self.get(thread).map_or(&[], |context| &context.calls)
    }

    /// Who created the thread, and where.
    pub(in crate::detect) fn created(&self, thread: ThreadId) -> Option<&(ThreadId, Stack)> {
        self.get(thread)?.created.as_ref()
    }

    /// The thread's calls, innermost first.
    pub(in crate::detect) fn stack(&self, thread: ThreadId) -> Stack {
        self.get(thread)
            .map(|context| context.stack(None))
            .unwrap_or_default()
    }

    /// Where on a thread's stack this address is, in a heap block or not. None if that is not certain.
    pub(in crate::detect) fn stack_place(
        &self,
        addr: u32,
        block: Option<&HeapBlock>,
    ) -> Option<StackPlace> {
        let within = |memory: &Range<u32>| {
            memory.contains(&addr)
                // A stack that a thread switched to may lie anywhere, and other blocks between.
                && block.is_none_or(|block| memory.end - block.addr <= block.size)
        };
        let mut threads = self
            .standing()
            .filter(|(_, context)| within(&context.memory));
        let (thread, context) = threads.next()?;
        let place = StackPlace {
            thread,
            top: context.memory.end,
            calls: context.whole_stack().unwrap_or_default(),
        };
        threads.next().is_none().then_some(place)
    }

    /// Who holds the lock, in what mode and where it was taken, by thread id.
    pub(in crate::detect) fn holders(&self, lock: u32) -> impl Iterator<Item = (ThreadId, &Held)> {
        self.standing().flat_map(move |(thread, context)| {
            context
                .held()
                .iter()
                .filter(move |held| held.lock == lock)
                .map(move |held| (thread, held))
        })
    }

    /// Someone released the lock in the name of its holders, or ended it.
    pub(in crate::detect) fn force_release(&mut self, lock: u32) {
        for thread in &self.standing {
            let context = &mut self.threads[thread.0 as usize];
            while context.locks.lose(lock).is_some() {}
        }
    }

    pub(in crate::detect) fn lock_name(&self, lock: u32) -> Option<String> {
        self.lock_names.get(&lock).cloned()
    }

    /// Names of locks that were ignored.
    pub(in crate::detect) fn names_dropped(&self) -> u64 {
        self.names_dropped
    }

    /// Whether some thread's calls nested deeper than the limit.
    pub(in crate::detect) fn too_deep(&self) -> bool {
        self.threads.iter().any(|context| context.too_deep)
    }

    /// The thread that an event says has trapped. To be called before the event is followed.
    pub(in crate::detect) fn trapped(&self, event: &Event) -> Option<TrappedThread> {
        let EventKind::ThreadExit(ThreadEnd::Trapped { reason, site }) = &event.kind else {
            return None;
        };
        let context = self.get(event.thread);
        Some(TrappedThread {
            thread: event.thread,
            reason: reason.clone(),
            message: context.and_then(|context| context.message.clone()),
            stack: context.map_or_else(Stack::default, |context| context.stack(*site)),
            locks: self.locks(event.thread),
        })
    }

    /// Every thread, by id.
    pub(in crate::detect) fn into_infos(self) -> Vec<ThreadInfo> {
        (0..)
            .map(ThreadId)
            .zip(self.threads)
            .filter(|(_, context)| context.known)
            .map(|(id, context)| ThreadInfo {
                id,
                name: context.name,
                created: context.created,
            })
            .collect()
    }
}
