//! The second pass: the same stream again, to see what the first pass could only name.
//!
//! A candidate names its earlier access by thread, epoch, kind and bytes. Clocks are a pure function of the
//! stream, so the thread gets into that epoch again, and the first access of that kind to those bytes in it
//! is the one: every access of one epoch is unordered with the later access if one of them is. Where
//! several accesses account for the bytes (two fields, read at once), each of them races. An
//! `Alloc` in between makes the bytes new, and the search starts over.
//!
//! What the two threads did around their accesses is kept as well ([`history`](crate::detect::races::history)).
//!
//! **Cost**: contexts and clocks; no shadow memory. Accesses are looked at only while the thread is in an epoch
//! that is searched. Ends the run once the last later access is reached.

use crate::detect::clocks::order::{Order, granules};
use crate::detect::common::context::Contexts;
use crate::detect::common::diagnosis::{Access, AccessKind, Diagnosed};
use crate::detect::common::limits::Limits;
use crate::detect::memory::heap::{Heap, Release};
use crate::detect::races::candidates::Candidate;
use crate::detect::races::drain::{Cursor, WRITE, follow, follow_record};
use crate::detect::races::happens_before::{Doing, checked_alone};
use crate::detect::races::history;
use crate::detect::races::history::{Entry, StepLog};
use crate::model::sites::SiteTable;
use crate::model::{Event, EventKind, Records, ThreadId};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};

/// An earlier access.
#[derive(Debug)]
struct Found {
    access: Access,
    /// The bytes of the candidate that it accounts for.
    bytes: u8,
    around: history::Earlier,
}

#[derive(Debug)]
struct Watch {
    candidate: Candidate,
    /// Their bytes are disjoint.
    found: Vec<Found>,
    /// Known once the later access is reached.
    later: Option<history::Later>,
}

impl Watch {
    fn accounted(&self) -> u8 {
        self.found.iter().fold(0, |mask, found| mask | found.bytes)
    }

    fn diagnose(self, log: &StepLog) -> impl Iterator<Item = (u64, Diagnosed)> {
        let Watch {
            candidate,
            found,
            later,
        } = self;
        let second = (&candidate.later, candidate.position);
        let later = later.unwrap_or_else(|| history::Later::new(log, second.0.thread, None));
        let firsts = found.into_iter().map(|Found { access, around, .. }| {
            let history = history::history(&access, around, second, later.clone());
            (access, Some(history))
        });
        let firsts = firsts.collect();
        candidate.diagnose(firsts)
    }
}

/// Finds the earlier accesses of candidates.
#[derive(Debug)]
pub(in crate::detect) struct SecondPass {
    order: Order,
    /// Sizes of blocks, for what `Free` accesses.
    heap: Heap,
    watches: Vec<Watch>,
    by_epoch: FxHashMap<(ThreadId, u32), Vec<usize>>,
    by_granule: BTreeMap<u32, Vec<usize>>,
    log: StepLog,
    /// By later thread: watches whose later access is not reached yet, in the order in which it will be.
    awaited: FxHashMap<ThreadId, VecDeque<usize>>,
    /// By earlier thread: watches that want its further steps.
    following: FxHashMap<ThreadId, Vec<usize>>,
    /// Position of the last later access.
    end: u64,
}

impl SecondPass {
    /// Watches for the earlier accesses of these.
    pub(in crate::detect) fn new(limits: &Limits, candidates: Vec<Candidate>) -> Self {
        let mut by_epoch: FxHashMap<_, Vec<_>> = FxHashMap::default();
        let mut by_granule: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (index, candidate) in candidates.iter().enumerate() {
            let earlier = candidate.earlier;
            by_epoch
                .entry((earlier.thread, earlier.epoch))
                .or_default()
                .push(index);
            by_granule.entry(earlier.granule).or_default().push(index);
        }
        let end = candidates
            .iter()
            .map(|candidate| candidate.position)
            .max()
            .unwrap_or(0);
        let racing = candidates
            .iter()
            .flat_map(|candidate| [candidate.earlier.thread, candidate.later.thread]);
        let log = StepLog::new(racing);
        let mut in_order: Vec<usize> = (0..candidates.len()).collect();
        in_order.sort_by_key(|&index| candidates[index].position);
        let mut awaited: FxHashMap<_, VecDeque<_>> = FxHashMap::default();
        for index in in_order {
            let thread = candidates[index].later.thread;
            awaited.entry(thread).or_default().push_back(index);
        }
        let watches = candidates
            .into_iter()
            .map(|candidate| Watch {
                candidate,
                found: Vec::new(),
                later: None,
            })
            .collect();
        SecondPass {
            order: Order::new(limits),
            heap: Heap::new(limits),
            watches,
            by_epoch,
            by_granule,
            log,
            awaited,
            following: FxHashMap::default(),
            end,
        }
    }

    /// Whether all that can be found was, when everything before `position` was delivered.
    pub(in crate::detect) fn done(&self, position: u64) -> bool {
        position > self.end
    }

    /// Candidates of whose bytes some are not accounted for.
    pub(in crate::detect) fn unresolved(&self) -> usize {
        let missing = |watch: &&Watch| watch.accounted() != watch.candidate.earlier.mask;
        self.watches.iter().filter(missing).count()
    }

    /// The races, each with its position, in order of first occurrence.
    pub(in crate::detect) fn finish(self) -> Vec<(u64, Diagnosed)> {
        let log = self.log;
        self.watches
            .into_iter()
            .flat_map(|watch| watch.diagnose(&log))
            .collect()
    }

    /// Records of one thread, the first of them at `position`; keeps its context current.
    pub(in crate::detect) fn records(
        &mut self,
        sites: &SiteTable,
        contexts: &mut Contexts,
        thread: ThreadId,
        records: Records<'_>,
        position: u64,
    ) -> u64 {
        let mut cursor = Cursor::new(records);
        let known = self.order.thread(thread).is_some();
        // An epoch begins exactly where it did in the first pass.
        let follow_only = !known || self.order.alone(thread);
        // The epoch can change only at the first visible access of a batch.
        let mut watched = None;
        loop {
            let Some(context) = contexts.get_mut(thread) else {
                return cursor.done();
            };
            if follow_only || watched == Some(false) {
                follow(sites, context, &mut cursor);
                return cursor.done();
            }
            let Some(record) = cursor.take(sites) else {
                return cursor.done();
            };
            let site = sites.packed(record.site());
            if site.kind() > WRITE {
                follow_record(context, site.kind(), record.site());
            } else if !context.hidden() {
                let by_epoch = &self.by_epoch;
                let order = &mut self.order;
                let watched = *watched.get_or_insert_with(|| {
                    let epoch = order.begin_access(thread);
                    epoch.is_some_and(|epoch| by_epoch.contains_key(&(thread, epoch)))
                });
                if watched {
                    let doing = Doing::of_record(
                        thread,
                        record,
                        site.width(),
                        site.displacement(),
                        site.kind() == WRITE,
                        position + cursor.done() - 1,
                    );
                    self.access(contexts, &doing);
                }
            }
        }
    }

    /// One event, already followed by the contexts.
    pub(in crate::detect) fn event(
        &mut self,
        contexts: &Contexts,
        event: &Event,
        hidden: bool,
        position: u64,
    ) {
        let entry = self.log.entry(contexts, event, hidden, position);
        if let Some(entry) = &entry {
            self.reached(entry);
        }
        self.order.acquires(event, hidden);
        let mut block = None;
        match event.kind {
            EventKind::Alloc { addr, size } => {
                self.order.forget(addr, size);
                self.forget(addr, size, position);
                if let Some(context) = contexts.get(event.thread) {
                    self.heap.alloc(addr, size, event.thread, context);
                }
            }
            EventKind::Free { addr } => {
                if let Some(context) = contexts.get(event.thread)
                    && let Release::Live(size) = self.heap.free(addr, event.thread, context)
                {
                    block = Some(size);
                }
            }
            _ => {}
        }
        if !hidden
            && (block.is_some() || checked_alone(event) || !self.order.alone(event.thread))
            && let Some(doing) = Doing::of(event, position, block)
        {
            self.access(contexts, &doing);
        }
        self.order.releases(event, hidden);
        if let Some(entry) = entry {
            self.follow(&entry);
            self.log.add(entry);
        }
    }

    /// The later accesses that a thread has made before this step of it, or makes with it.
    fn reached(&mut self, entry: &Entry) {
        let Some(awaited) = self.awaited.get_mut(&entry.thread()) else {
            return;
        };
        while let Some(&index) = awaited.front() {
            let watch = &mut self.watches[index];
            let at = watch.candidate.position;
            if at > entry.position() {
                break;
            }
            let with = (at == entry.position()).then_some(entry);
            watch.later = Some(history::Later::new(&self.log, entry.thread(), with));
            awaited.pop_front();
        }
    }

    /// Who wants to know of this step.
    fn follow(&mut self, entry: &Entry) {
        if let Some(following) = self.following.get_mut(&entry.thread()) {
            following.retain(|&index| {
                let watch = &mut self.watches[index];
                let open = |found: &mut Found| found.around.note(entry);
                // Every one has to see it.
                let open = watch.found.iter_mut().map(open).fold(false, |a, b| a | b);
                open && entry.position() < watch.candidate.position
            });
        }
    }

    fn access(&mut self, contexts: &Contexts, doing: &Doing) {
        let Some(epoch) = self.order.begin_access(doing.thread) else {
            return;
        };
        let Some(watched) = self.by_epoch.get(&(doing.thread, epoch)) else {
            return;
        };
        let atomic = doing.kind == AccessKind::Atomic;
        for &index in watched {
            let watch = &mut self.watches[index];
            let earlier = watch.candidate.earlier;
            if doing.position >= watch.candidate.position
                || (earlier.write, earlier.atomic) != (doing.write, atomic)
            {
                continue;
            }
            let missing = earlier.mask & !watch.accounted();
            let bytes = missing & bytes_in(earlier.granule, doing.addr, doing.len);
            if bytes != 0 {
                watch.found.push(Found {
                    access: doing.describe(contexts),
                    bytes,
                    around: history::Earlier::new(&self.log, doing.thread, doing.position),
                });
                let following = self.following.entry(doing.thread).or_default();
                if !following.contains(&index) {
                    following.push(index);
                }
            }
        }
    }

    /// These bytes are new: what was found there is not what raced, unless that happened before.
    fn forget(&mut self, addr: u32, len: u32, position: u64) {
        if len == 0 {
            return;
        }
        let last = ((u64::from(addr) + u64::from(len) - 1).min(u64::from(u32::MAX)) >> 3) as u32;
        for (&granule, indices) in self.by_granule.range(addr >> 3..=last) {
            let gone = bytes_in(granule, addr.into(), len.into());
            for &index in indices {
                let watch = &mut self.watches[index];
                if position < watch.candidate.position {
                    watch.found.retain_mut(|found| {
                        found.bytes &= !gone;
                        found.bytes != 0
                    });
                }
            }
        }
    }
}

/// Which bytes of a granule are among `len` from `addr`.
fn bytes_in(granule: u32, addr: u64, len: u64) -> u8 {
    let base = u64::from(granule) * 8;
    let first = addr.max(base);
    let end = (addr + len).min(base + 8);
    if first >= end {
        return 0;
    }
    granules(first, end - first)
        .next()
        .map_or(0, |(_, mask)| mask)
}
