//! The second pass: the same stream again, to see what the first pass could only name.
//!
//! A candidate names its earlier access by thread, epoch, kind and bytes. Clocks are a pure function of the
//! stream, so the thread gets into that epoch again, and the first access of that kind to those bytes in it
//! is the one: every access of one epoch is unordered with the later access if one of them is. Where
//! several accesses account for the bytes (two fields, read at once), each of them races. An
//! `Alloc` in between makes the bytes new, and the search starts over.
//!
//! **Cost**: contexts and clocks; no shadow memory. Accesses are looked at only while the thread is in an epoch
//! that is searched. Ends the run once the last later access is reached.

use super::candidates::Candidate;
use super::context::Contexts;
use super::diagnosis::{Access, AccessKind, Diagnosed};
use super::drain::{WRITE, follow_record};
use super::happens_before::Doing;
use super::heap::Heap;
use super::limits::Limits;
use super::order::{Order, granules};
use crate::program::sites::SiteTable;
use crate::trace::{Event, EventKind, Record, ThreadId};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

#[derive(Debug)]
struct Watch {
    candidate: Candidate,
    /// Accesses, and the bytes of the candidate that they account for; disjoint.
    found: Vec<(Access, u8)>,
}

impl Watch {
    fn accounted(&self) -> u8 {
        self.found.iter().fold(0, |mask, &(_, bytes)| mask | bytes)
    }
}

/// Finds the earlier accesses of candidates.
#[derive(Debug)]
pub(super) struct SecondPass {
    order: Order,
    /// Sizes of blocks, for what `Free` accesses.
    heap: Heap,
    watches: Vec<Watch>,
    by_epoch: FxHashMap<(ThreadId, u32), Vec<usize>>,
    by_granule: BTreeMap<u32, Vec<usize>>,
    /// Position of the last later access.
    end: u64,
}

impl SecondPass {
    /// Watches for the earlier accesses of these.
    pub(super) fn new(limits: &Limits, candidates: Vec<Candidate>) -> Self {
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
        let watches = candidates
            .into_iter()
            .map(|candidate| Watch {
                candidate,
                found: Vec::new(),
            })
            .collect();
        SecondPass {
            order: Order::new(limits),
            heap: Heap::new(limits),
            watches,
            by_epoch,
            by_granule,
            end,
        }
    }

    /// Whether all that can be found was, when everything before `position` was delivered.
    pub(super) fn done(&self, position: u64) -> bool {
        position > self.end
    }

    /// Candidates of whose bytes some are not accounted for.
    pub(super) fn unresolved(&self) -> usize {
        let missing = |watch: &&Watch| watch.accounted() != watch.candidate.earlier.mask;
        self.watches.iter().filter(missing).count()
    }

    /// The races, each with its position, in order of first occurrence.
    pub(super) fn finish(self) -> Vec<(u64, Diagnosed)> {
        self.watches
            .into_iter()
            .flat_map(|Watch { candidate, found }| {
                candidate.diagnose(found.into_iter().map(|(access, _)| access).collect())
            })
            .collect()
    }

    /// Records of one thread, the first of them at `position`; keeps its context current.
    pub(super) fn records(
        &mut self,
        sites: &SiteTable,
        contexts: &mut Contexts,
        thread: ThreadId,
        records: &[Record],
        position: u64,
    ) {
        // The epoch can change only at the first visible access of a batch.
        let mut in_epoch = false;
        let mut watched = false;
        for (at, &record) in records.iter().enumerate() {
            let Some(context) = contexts.get_mut(thread) else {
                return;
            };
            let site = sites.packed(record.site());
            if site.kind() > WRITE {
                follow_record(context, site.kind(), record.site());
            } else if !context.hidden() {
                if !in_epoch {
                    let Some(epoch) = self.order.begin_access(thread) else {
                        continue;
                    };
                    in_epoch = true;
                    watched = self.by_epoch.contains_key(&(thread, epoch));
                }
                if watched {
                    let doing = Doing::of_record(
                        thread,
                        record,
                        site.width(),
                        site.displacement(),
                        site.kind() == WRITE,
                        position + at as u64,
                    );
                    self.access(contexts, &doing);
                }
            }
        }
    }

    /// One event, already followed by the contexts.
    pub(super) fn event(
        &mut self,
        contexts: &Contexts,
        event: &Event,
        hidden: bool,
        position: u64,
    ) {
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
            EventKind::Free { addr } => block = self.heap.free(addr),
            _ => {}
        }
        if !hidden && let Some(doing) = Doing::of(event, position, block) {
            self.access(contexts, &doing);
        }
        self.order.releases(event, hidden);
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
                watch.found.push((doing.describe(contexts), bytes));
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
                    watch.found.retain_mut(|(_, bytes)| {
                        *bytes &= !gone;
                        *bytes != 0
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
