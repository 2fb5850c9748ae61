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

use super::diagnosis::{HeapBlock, HeldLock, Misuse, Stack, StackPlace, ThreadInfo, TrappedThread};
use super::limits::Limits;
use crate::program::sites::SiteId;
use crate::trace::{Event, EventKind, LockChange, LockMode, ThreadEnd, ThreadId};
use rustc_hash::{FxHashMap, FxHasher};
use std::hash::Hasher;
use std::ops::Range;

/// A lock that a thread has, as often as it took it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) lock: u32,
    pub(super) mode: LockMode,
    pub(super) count: u32,
    pub(super) stack: Stack,
}

/// A hook that began and has not ended.
#[derive(Clone, Debug)]
pub(super) enum Hook {
    /// Asks for a lock.
    Lock { lock: u32, mode: LockMode },
    /// Releases a lock.
    Unlock { lock: u32 },
    /// Waits on a condition variable, without the lock that it had.
    Wait {
        condvar: u32,
        lock: u32,
        /// How it held the lock.
        had: Option<(LockMode, u32)>,
    },
    /// Notifies a condition variable.
    Notify { condvar: u32 },
}

/// A lock that is a word in memory, from when its thread asks for it until it has it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) lock: u32,
    pub(super) mode: LockMode,
    stack: Stack,
}

/// One thread.
#[derive(Debug, Default)]
pub(super) struct ThreadContext {
    calls: Vec<SiteId>,
    /// Calls beyond the kept ones.
    deeper: usize,
    max_calls: usize,
    max_frames: usize,
    hide_depth: u32,
    hooks: Vec<Hook>,
    held: Vec<Held>,
    wanted: Option<Wanted>,
    /// The wait instruction it is in.
    waiting: Option<SiteId>,
    name: Option<String>,
    created: Option<(ThreadId, Stack)>,
    /// Bytes of its stack in memory, as far as it was used.
    memory: Range<u32>,
    known: bool,
    ended: bool,
    too_deep: bool,
}

impl ThreadContext {
    #[cfg(test)]
    pub(super) fn for_tests() -> Self {
        ThreadContext {
            max_calls: 64,
            max_frames: 64,
            ..ThreadContext::default()
        }
    }

    #[inline]
    pub(super) fn call(&mut self, site: SiteId) {
        if self.calls.len() < self.max_calls {
            self.calls.push(site);
        } else {
            self.deeper += 1;
            self.too_deep = true;
        }
    }

    #[inline]
    pub(super) fn ret(&mut self) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.calls.pop();
        }
    }

    #[inline]
    pub(super) fn hide_begin(&mut self) {
        self.hide_depth += 1;
    }

    #[inline]
    pub(super) fn hide_end(&mut self) {
        self.hide_depth = self.hide_depth.saturating_sub(1);
    }

    /// Whether what it does now is not to be seen.
    #[inline]
    pub(super) fn hidden(&self) -> bool {
        self.hide_depth > 0 || !self.hooks.is_empty()
    }

    /// Whether it is inside a lock or condvar hook, where further hooks are not its own.
    pub(super) fn in_hook(&self) -> bool {
        !self.hooks.is_empty()
    }

    /// The stack of something done at `site`, or by the host call on top if there is none.
    pub(super) fn stack(&self, site: Option<SiteId>) -> Stack {
        site.into_iter()
            .chain(self.calls.iter().rev().copied())
            .take(self.max_frames)
            .collect()
    }

    /// All calls, innermost first, if no limit cut them.
    fn whole_stack(&self) -> Option<Stack> {
        let whole = self.deeper == 0 && self.calls.len() < self.max_frames;
        whole.then(|| self.stack(None))
    }

    /// Hash of what [`ThreadContext::stack`] returns.
    pub(super) fn stack_hash(&self, site: Option<SiteId>) -> u64 {
        let mut hasher = FxHasher::default();
        for frame in site
            .into_iter()
            .chain(self.calls.iter().rev().copied())
            .take(self.max_frames)
        {
            hasher.write_u32(frame.0);
        }
        hasher.finish()
    }

    /// Whether [`ThreadContext::stack`] without a site returns this.
    pub(super) fn has_stack(&self, stack: &[SiteId]) -> bool {
        self.calls.iter().rev().take(self.max_frames).eq(stack)
    }

    /// The site of the innermost call.
    pub(super) fn top(&self) -> Option<SiteId> {
        self.calls.last().copied()
    }

    pub(super) fn held(&self) -> &[Held] {
        &self.held
    }

    /// The outermost hook that it is in.
    pub(super) fn hook(&self) -> Option<&Hook> {
        self.hooks.first()
    }

    /// The wait instruction it is in, if any.
    pub(super) fn waiting(&self) -> Option<SiteId> {
        self.waiting
    }

    /// The lock without hooks that it asks for.
    pub(super) fn wanted(&self) -> Option<&Wanted> {
        self.wanted.as_ref()
    }

    fn take(&mut self, lock: u32, mode: LockMode, count: u32) {
        self.take_at(lock, mode, count, |thread| thread.stack(None));
    }

    fn take_at(
        &mut self,
        lock: u32,
        mode: LockMode,
        count: u32,
        stack: impl FnOnce(&Self) -> Stack,
    ) {
        let same = self
            .held
            .iter_mut()
            .find(|held| held.lock == lock && held.mode == mode);
        if let Some(held) = same {
            held.count += count;
        } else {
            let stack = stack(self);
            self.held.push(Held {
                lock,
                mode,
                count,
                stack,
            });
        }
    }

    /// The entry that a release of the lock concerns: of this mode if there is one, else of the other.
    fn entry(&self, lock: u32, mode: Option<LockMode>) -> Option<usize> {
        let of = |wanted: Option<LockMode>| {
            self.held
                .iter()
                .rposition(|held| held.lock == lock && wanted.is_none_or(|mode| held.mode == mode))
        };
        mode.and_then(|mode| of(Some(mode))).or_else(|| of(None))
    }

    fn drop_lock(&mut self, lock: u32, mode: LockMode) -> bool {
        let Some(index) = self.entry(lock, Some(mode)) else {
            return false;
        };
        self.held[index].count -= 1;
        if self.held[index].count == 0 {
            self.held.remove(index);
        }
        true
    }

    /// Follows one of its own events. False if it releases a lock that it does not hold.
    fn follow(&mut self, kind: &EventKind) -> bool {
        match *kind {
            EventKind::HideBegin => self.hide_begin(),
            EventKind::HideEnd => self.hide_end(),
            EventKind::WaitBegin { site, .. } => self.waiting = Some(site),
            EventKind::WaitEnd { .. } => self.waiting = None,
            EventKind::LockRequest { lock, mode, .. } => self.hooks.push(Hook::Lock { lock, mode }),
            EventKind::LockAcquire { lock, mode } => {
                let asked = matches!(self.hooks.last(), Some(Hook::Lock { lock: wanted, .. }) if *wanted == lock);
                if asked {
                    self.hooks.pop();
                }
                if self.hooks.is_empty() {
                    self.take(lock, mode, 1);
                }
            }
            EventKind::LockFail { lock, .. } => {
                if matches!(self.hooks.last(), Some(Hook::Lock { lock: wanted, .. }) if *wanted == lock)
                {
                    self.hooks.pop();
                }
            }
            EventKind::LockRelease { lock, mode } => {
                let held = self.in_hook() || self.drop_lock(lock, mode);
                self.hooks.push(Hook::Unlock { lock });
                return held;
            }
            EventKind::LockReleased { lock } => {
                if matches!(self.hooks.last(), Some(Hook::Unlock { lock: left }) if *left == lock) {
                    self.hooks.pop();
                }
            }
            EventKind::CondvarWait { condvar, lock } => {
                let entry = if self.in_hook() {
                    None
                } else {
                    self.entry(lock, None)
                };
                let had = entry
                    .map(|index| self.held.remove(index))
                    .map(|old| (old.mode, old.count));
                let held = self.in_hook() || had.is_some();
                self.hooks.push(Hook::Wait { condvar, lock, had });
                return held;
            }
            EventKind::CondvarWake { condvar, lock, .. } => {
                let mut had = None;
                if let Some(Hook::Wait {
                    condvar: waited,
                    had: before,
                    ..
                }) = self.hooks.last()
                    && *waited == condvar
                {
                    had = *before;
                    self.hooks.pop();
                }
                if self.hooks.is_empty() {
                    let (mode, count) = had.unwrap_or((LockMode::Exclusive, 1));
                    self.take(lock, mode, count);
                }
            }
            EventKind::CondvarNotify { condvar, .. } => self.hooks.push(Hook::Notify { condvar }),
            EventKind::CondvarNotified { condvar } => {
                if matches!(self.hooks.last(), Some(Hook::Notify { condvar: told }) if *told == condvar)
                {
                    self.hooks.pop();
                }
            }
            EventKind::LockWord { lock, site, change } => self.follow_word(lock, site, change),
            _ => {}
        }
        true
    }

    /// Words do not lie, and break no rule. What a hook does with a word is the inside of its own lock.
    fn follow_word(&mut self, lock: u32, site: Option<SiteId>, change: LockChange) {
        match change {
            LockChange::Wanted { .. } | LockChange::Taken { .. } if self.in_hook() => {}
            LockChange::Wanted { mode } => {
                let stack = self.stack(None);
                self.wanted = Some(Wanted { lock, mode, stack });
            }
            LockChange::Taken { mode, .. } => {
                // Where it asked is the same place, whether or not it had to wait.
                let wanted = self.wanted.take().filter(|wanted| wanted.lock == lock);
                self.take_at(lock, mode, 1, |thread| match wanted {
                    Some(wanted) => wanted.stack,
                    None => thread.stack(site),
                });
            }
            LockChange::Left { mode } => {
                self.drop_lock(lock, mode);
            }
        }
    }
}

/// What an event turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Followed {
    /// It is hidden: it makes no access and no edges.
    pub(super) hidden: bool,
    /// It breaks a rule of this lock. Its holders have it still.
    pub(super) misuse: Option<(Misuse, u32)>,
}

/// All threads.
#[derive(Debug)]
pub(super) struct Contexts {
    threads: Vec<ThreadContext>,
    lock_names: FxHashMap<u32, String>,
    traps: Vec<TrappedThread>,
    max_threads: u32,
    max_calls: usize,
    max_frames: usize,
    max_names: usize,
    names_dropped: u64,
}

impl Contexts {
    pub(super) fn new(limits: &Limits) -> Self {
        Contexts {
            threads: Vec::new(),
            lock_names: FxHashMap::default(),
            traps: Vec::new(),
            max_threads: limits.threads,
            max_calls: limits.call_depth,
            max_frames: limits.stack_frames.max(1),
            max_names: limits.annotations,
            names_dropped: 0,
        }
    }

    /// The thread's context, made if it is new; none beyond the limit of threads.
    #[inline]
    pub(super) fn get_mut(&mut self, thread: ThreadId) -> Option<&mut ThreadContext> {
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
            context.max_calls = self.max_calls;
            context.max_frames = self.max_frames;
        }
        Some(context)
    }

    /// The thread's context, if it has one.
    #[inline]
    pub(super) fn get(&self, thread: ThreadId) -> Option<&ThreadContext> {
        self.threads
            .get(thread.0 as usize)
            .filter(|context| context.known)
    }

    /// All threads, by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ThreadId, &ThreadContext)> {
        (0..)
            .map(ThreadId)
            .zip(&self.threads)
            .filter(|(_, context)| context.known)
    }

    /// Follows an event.
    pub(super) fn follow(&mut self, event: &Event) -> Followed {
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
            EventKind::ThreadExit(end) => {
                if let ThreadEnd::Trapped { reason, site } = end {
                    let trap = TrappedThread {
                        thread: event.thread,
                        reason: reason.clone(),
                        stack: context.stack(*site),
                        locks: self.locks(event.thread),
                    };
                    self.traps.push(trap);
                }
                if let Some(context) = self.get_mut(event.thread) {
                    context.ended = true;
                    // What was its stack may be another's, or a heap block.
                    context.memory = 0..0;
                    context.calls = Vec::new();
                    context.hooks = Vec::new();
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
        Followed {
            hidden: before && after,
            misuse: self.misuse(event, held),
        }
    }

    /// The rule that an event breaks. `held`: what its thread follows says that it may.
    fn misuse(&self, event: &Event, held: bool) -> Option<(Misuse, u32)> {
        let is_held = |lock| self.holders(lock).next().is_some();
        match event.kind {
            EventKind::LockRelease { lock, .. } if !held && is_held(lock) => {
                Some((Misuse::UnlockByOtherThread, lock))
            }
            EventKind::LockRelease { lock, .. } if !held => Some((Misuse::UnlockNotHeld, lock)),
            EventKind::CondvarWait { condvar, lock } if !held => {
                Some((Misuse::CondvarWaitWithoutLock { condvar }, lock))
            }
            EventKind::LockDestroy { lock } => {
                let inner = self.get(event.thread).is_some_and(ThreadContext::in_hook);
                (!inner && is_held(lock)).then_some((Misuse::DestroyHeldLock, lock))
            }
            _ => None,
        }
    }

    /// What the thread holds.
    pub(super) fn locks(&self, thread: ThreadId) -> Vec<HeldLock> {
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
    pub(super) fn held(&self, thread: ThreadId) -> &[Held] {
        self.get(thread).map_or(&[], ThreadContext::held)
    }

    /// The thread's calls, outermost first.
    pub(super) fn calls(&self, thread: ThreadId) -> &[SiteId] {
        self.get(thread).map_or(&[], |context| &context.calls)
    }

    /// Who created the thread, and where.
    pub(super) fn created(&self, thread: ThreadId) -> Option<&(ThreadId, Stack)> {
        self.get(thread)?.created.as_ref()
    }

    /// The thread's calls, innermost first.
    pub(super) fn stack(&self, thread: ThreadId) -> Stack {
        self.get(thread)
            .map(|context| context.stack(None))
            .unwrap_or_default()
    }

    /// Where on a thread's stack this address is, in a heap block or not. None if that is not certain.
    pub(super) fn stack_place(&self, addr: u32, block: Option<&HeapBlock>) -> Option<StackPlace> {
        let within = |memory: &Range<u32>| {
            memory.contains(&addr)
                // A stack that a thread switched to may lie anywhere, and other blocks between.
                && block.is_none_or(|block| memory.end - block.addr <= block.size)
        };
        let mut threads = self.iter().filter(|(_, context)| within(&context.memory));
        let (thread, context) = threads.next()?;
        let place = StackPlace {
            thread,
            top: context.memory.end,
            calls: context.whole_stack().unwrap_or_default(),
        };
        threads.next().is_none().then_some(place)
    }

    /// Who holds the lock, in what mode and where it was taken, by thread id.
    pub(super) fn holders(&self, lock: u32) -> impl Iterator<Item = (ThreadId, &Held)> {
        self.iter().flat_map(move |(thread, context)| {
            context
                .held
                .iter()
                .filter(move |held| held.lock == lock)
                .map(move |held| (thread, held))
        })
    }

    /// Someone released the lock in the name of its holders, or ended it.
    pub(super) fn force_release(&mut self, lock: u32) {
        for context in &mut self.threads {
            context.held.retain(|held| held.lock != lock);
        }
    }

    pub(super) fn lock_name(&self, lock: u32) -> Option<String> {
        self.lock_names.get(&lock).cloned()
    }

    /// Names of locks that were ignored.
    pub(super) fn names_dropped(&self) -> u64 {
        self.names_dropped
    }

    /// Whether some thread's calls nested deeper than the limit.
    pub(super) fn too_deep(&self) -> bool {
        self.threads.iter().any(|context| context.too_deep)
    }

    /// Every thread, by id, and those that trapped, in that order of events.
    pub(super) fn into_infos(self) -> (Vec<ThreadInfo>, Vec<TrappedThread>) {
        let infos = (0..)
            .map(ThreadId)
            .zip(self.threads)
            .filter(|(_, context)| context.known)
            .map(|(id, context)| ThreadInfo {
                id,
                name: context.name,
                created: context.created,
            })
            .collect();
        (infos, self.traps)
    }
}
