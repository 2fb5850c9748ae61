//! Synchronisation objects of POSIX threads: from their beginning to their end, and what breaks the rules in between.
//!
//! **Finds**
//! - the use of an object that happens after its destruction, and its second destruction;
//! - the beginning of the life of a lock that somebody holds;
//! - the destruction of a condition variable on which a thread waits that nobody has woken, and of a barrier at which threads
//!   wait;
//! - a thread that asks for a lock which it holds, and cannot have it twice;
//! - a thread that ends and holds a lock.
//!
//! That the memory of an object was freed, or that its destruction and its use are not ordered, is found by
//! [`happens_before`](crate::detect::races::happens_before): a use reads the object's first bytes, a destruction writes them. ThreadSanitizer
//! does the same. What is destroyed *and* freed is told as the use of freed memory only.
//!
//! **Misses** locks that are not of POSIX threads: a guard of Rust's that was leaked at the end of a thread is allowed. The
//! end of the main thread is the end of the process, and needs no lock released. Waiters of semaphores.
//!
//! **Never falsely reports** an object that begins anew, be it by its function, by an assignment of its initialiser, or since its
//! memory is another block's or another call's: whatever writes into a destroyed object ends what is known of it.
//!
//! The rules are those of POSIX, where breaking them is undefined (`pthread_mutex_destroy`, `pthread_cond_destroy`,
//! `pthread_barrier_destroy`); Helgrind and ThreadSanitizer check most of them. There is no paper.
//!
//! **Cost**: an ordered-map operation per call of such a function. As long as a destroyed object is remembered, a comparison with
//! the bounds of all of them per store.

use crate::detect::clocks::order::Moment;
use crate::detect::common::context::Contexts;
use crate::detect::common::diagnosis::{Misuse, Stack};
use crate::model::meaning::{LockStep, LockToldBy, OfLock, Release, TouchedBy};
use crate::model::sites::{SiteId, SiteKind, SiteTable};
use crate::model::{Event, EventKind, ObjectAct, ObjectKind, Records, ThreadEnd, ThreadId};
use std::collections::BTreeMap;

/// Objects that are followed; of further ones nothing is found.
const MAX_OBJECTS: usize = 1 << 16;

/// The largest object, in bytes.
const MAX_SIZE: u32 = 48;

/// Bytes of an object of musl on wasm32.
fn size_of(kind: ObjectKind) -> u32 {
    match kind {
        ObjectKind::Mutex => 24,
        ObjectKind::RwLock => 32,
        ObjectKind::Spinlock | ObjectKind::Once => 4,
        ObjectKind::Condvar => MAX_SIZE,
        ObjectKind::Barrier => 20,
        ObjectKind::Semaphore => 16,
    }
}

/// One of them.
#[derive(Debug)]
struct Object {
    kind: ObjectKind,
    /// Threads that a barrier is for.
    count: u32,
    /// Who waits on a condition variable or at a barrier.
    waiting: Vec<ThreadId>,
    /// Those that wait and were woken: how many, for which ones is not known.
    woken: usize,
}

/// Where an object was destroyed.
#[derive(Debug)]
struct Destroyed {
    kind: ObjectKind,
    thread: ThreadId,
    stack: Stack,
    /// When, to tell whether a use is ordered after it.
    moment: Option<Moment>,
}

/// A rule that was broken.
#[derive(Debug)]
pub(in crate::detect) struct Broken {
    pub(in crate::detect) misuse: Misuse,
    pub(in crate::detect) object: u32,
    /// What it is, if it is an object of POSIX threads.
    pub(in crate::detect) kind: Option<ObjectKind>,
    /// Where, if that is not where the thread is.
    pub(in crate::detect) stack: Option<Stack>,
    /// Where it was destroyed before, or who waits.
    pub(in crate::detect) related: Vec<(ThreadId, Stack)>,
    /// What it has to be ordered after. Without that order it is a race, which is found as such.
    pub(in crate::detect) after: Option<Moment>,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::detect) struct SyncObjects {
    objects: BTreeMap<u32, Object>,
    destroyed: BTreeMap<u32, Destroyed>,
}

impl SyncObjects {
    /// Whether stores are to be told.
    #[inline]
    pub(in crate::detect) fn watches(&self) -> bool {
        !self.destroyed.is_empty()
    }

    /// Records of a thread that is not hidden.
    pub(in crate::detect) fn records(&mut self, sites: &SiteTable, records: Records<'_>) {
        const WRITE: u8 = SiteKind::Write as u8;
        let bounds = |destroyed: &BTreeMap<u32, Destroyed>| {
            let (&first, _) = destroyed.first_key_value()?;
            let (&last, _) = destroyed.last_key_value()?;
            // An access is of 16 bytes at most.
            Some((first.saturating_sub(16), last.saturating_add(MAX_SIZE)))
        };
        let Some((low, high)) = bounds(&self.destroyed) else {
            return;
        };
        for region in records.regions() {
            for index in 0..region.len {
                let site = sites.packed(SiteId(region.first.0 + index as u32));
                if site.kind() != WRITE {
                    continue;
                }
                let addr = region.operand(site).wrapping_add(site.displacement());
                if (low..high).contains(&addr) {
                    self.written(addr, site.width());
                }
            }
        }
    }

    /// These bytes are other ones now: what was destroyed there may have begun anew.
    fn written(&mut self, addr: u32, len: u32) {
        let end = addr.saturating_add(len);
        let from = addr.saturating_sub(MAX_SIZE);
        let hit = |(&object, destroyed): (&u32, &Destroyed)| {
            (object + size_of(destroyed.kind) > addr).then_some(object)
        };
        while let Some(object) = self.destroyed.range(from..end).find_map(hit) {
            self.destroyed.remove(&object);
        }
    }

    /// These bytes are a new block: no object is there.
    fn forget(&mut self, addr: u32, len: u32) {
        let end = addr.saturating_add(len);
        while let Some((&object, _)) = self.objects.range(addr..end).next() {
            self.objects.remove(&object);
        }
        self.written(addr, len);
    }

    fn object(&mut self, addr: u32, kind: ObjectKind) -> Option<&mut Object> {
        let full = self.objects.len() >= MAX_OBJECTS && !self.objects.contains_key(&addr);
        (!full).then(|| {
            self.objects.entry(addr).or_insert_with(|| Object {
                kind,
                count: 0,
                waiting: Vec::new(),
                woken: 0,
            })
        })
    }

    /// One event, already followed by the contexts. Returns the rules that it breaks.
    pub(in crate::detect) fn event(
        &mut self,
        contexts: &Contexts,
        event: &Event,
        hidden: bool,
    ) -> Vec<Broken> {
        let thread = event.thread;
        if let Some(touched) = event.kind.touches()
            && touched.write
            && !hidden
        {
            match (touched.by, touched.len) {
                (TouchedBy::Atomic(_), Some(len)) if self.watches() => {
                    self.written(touched.addr, len);
                }
                (TouchedBy::Bulk | TouchedBy::Host, Some(len)) => self.written(touched.addr, len),
                _ => {}
            }
        }
        if let Some(OfLock {
            step,
            told_by: LockToldBy::Condvar { condvar },
            ..
        }) = event.kind.locks()
        {
            match step {
                LockStep::Leave { .. } => {
                    if let Some(object) = self.objects.get_mut(&condvar) {
                        object.waiting.push(thread);
                    }
                }
                _ => self.woke(condvar, thread, event.kind.notified().is_none()),
            }
        }
        if let Some(Release::Round(barrier)) = event.kind.releases()
            && let Some(object) = self.objects.get_mut(&barrier)
            && object.count > 0
        {
            object.waiting.push(thread);
            if object.waiting.len() >= object.count as usize {
                object.waiting.clear();
            }
        }
        match event.kind {
            EventKind::Object { object, kind, act } => {
                return self.acted(contexts, thread, (object, kind), act);
            }
            EventKind::Alloc { addr, size } => self.forget(addr, size.max(1)),
            EventKind::CondvarFail { condvar, .. } => self.woke(condvar, thread, true),
            EventKind::CondvarNotify { condvar, all } => {
                if let Some(object) = self.objects.get_mut(&condvar) {
                    let waiting = object.waiting.len();
                    object.woken = if all {
                        waiting
                    } else {
                        waiting.min(object.woken + 1)
                    };
                }
            }
            // The end of the main thread is that of all.
            EventKind::ThreadExit(ThreadEnd::Returned) if thread != ThreadId(0) => {
                return self.held_at_end(contexts, thread);
            }
            _ => {}
        }
        Vec::new()
    }

    fn woke(&mut self, condvar: u32, thread: ThreadId, by_itself: bool) {
        if let Some(object) = self.objects.get_mut(&condvar) {
            object.waiting.retain(|&waiting| waiting != thread);
            if !by_itself {
                object.woken = object.woken.saturating_sub(1);
            }
            object.woken = object.woken.min(object.waiting.len());
        }
    }

    fn acted(
        &mut self,
        contexts: &Contexts,
        thread: ThreadId,
        (addr, kind): (u32, ObjectKind),
        act: ObjectAct,
    ) -> Vec<Broken> {
        let after = (self.destroyed.get(&addr)).and_then(|destroyed| destroyed.moment);
        let broken = |misuse, related| Broken {
            misuse,
            object: addr,
            kind: Some(kind),
            stack: None,
            related,
            after: match misuse {
                Misuse::UseAfterDestroy | Misuse::DoubleDestroy => after,
                _ => None,
            },
        };
        let before = (self.destroyed.get(&addr))
            .map(|destroyed| vec![(destroyed.thread, destroyed.stack.clone())]);
        let mut found = Vec::new();
        match act {
            ObjectAct::Init { value } => {
                self.destroyed.remove(&addr);
                self.objects.remove(&addr);
                if let Some(object) = self.object(addr, kind) {
                    object.count = value;
                }
            }
            ObjectAct::InitHeld => found.push(broken(Misuse::InitHeldLock, Vec::new())),
            ObjectAct::Relock => found.push(broken(Misuse::Relock, Vec::new())),
            ObjectAct::Use => {
                self.object(addr, kind);
                if let Some(before) = before {
                    found.push(broken(Misuse::UseAfterDestroy, before));
                }
            }
            ObjectAct::Destroy => {
                let object = self.objects.remove(&addr);
                let waits = object.filter(|object| object.waiting.len() > object.woken);
                if let Some(before) = before {
                    found.push(broken(Misuse::DoubleDestroy, before));
                } else if let Some(object) = waits {
                    let waits = |&thread: &ThreadId| (thread, contexts.stack(thread));
                    let waiting = object.waiting.iter().map(waits).collect();
                    found.push(broken(Misuse::DestroyInUse, waiting));
                }
                if self.destroyed.len() < MAX_OBJECTS && !self.destroyed.contains_key(&addr) {
                    let stack = contexts.stack(thread);
                    let destroyed = Destroyed {
                        kind,
                        thread,
                        stack,
                        moment: None,
                    };
                    self.destroyed.insert(addr, destroyed);
                }
            }
        }
        found
    }

    /// When an object was destroyed.
    pub(in crate::detect) fn destroyed_at(&mut self, object: u32, moment: Option<Moment>) {
        if let Some(destroyed) = self.destroyed.get_mut(&object) {
            destroyed.moment = moment;
        }
    }

    /// What a thread that ended holds still.
    fn held_at_end(&self, contexts: &Contexts, thread: ThreadId) -> Vec<Broken> {
        let held = contexts.held(thread).iter();
        held.filter(|held| !held.word && !held.hidden)
            .filter_map(|held| {
                let kind = self.objects.get(&held.lock)?.kind;
                kind.is_lock().then(|| Broken {
                    misuse: Misuse::HeldAtThreadEnd,
                    object: held.lock,
                    kind: Some(kind),
                    stack: Some(held.stack.clone()),
                    related: Vec::new(),
                    after: None,
                })
            })
            .collect()
    }
}
