//! Data races: accesses to the same byte, one at least a write and one at least not atomic, that
//! happens-before does not order.
//!
//! **Paper.** FastTrack: Flanagan & Freund, *FastTrack: efficient and precise dynamic race detection*,
//! PLDI 2009. Deviations: bytes instead of variables (see [`shadow`](crate::detect::races::shadow)); atomic accesses are
//! checked against plain ones; several unordered writes are kept, so that precision does not end with
//! the first race.
//!
//! **Finds** every access that races with an earlier one in *this* interleaving, with all older accesses it
//! races with that no newer one stands for. Repeating an access in the same epoch, with nobody else's
//! access to the same 8 bytes in between, is not a race again.
//!
//! **Misses** races that this interleaving orders by chance, for example through a lock that happened to be
//! taken in between (that is what exploring schedules is for); what is ordered by the edges listed in
//! [`order`](crate::detect::clocks::order) beyond what wasm guarantees; what hidden regions do; and whatever a
//! [`LimitNotice`](crate::detect::LimitNotice) tells.
//!
//! **Never falsely reports**: both accesses of a report were made, conflict, and are unordered, provided that
//! the guest synchronises by means that are visible as events. A guest that synchronises by plain
//! accesses only, or through the host, races as far as this can know.
//!
//! **Cost.** About 1.5 ns for an access that repeats an earlier one of its epoch; see
//! `benches/happens_before.rs`.

use crate::detect::clocks::order::{Moment, Order};
use crate::detect::common::context::Contexts;
use crate::detect::common::diagnosis::{
    Access, AccessKind, Diagnosed, Diagnosis, HeapBlock, HeapMisuse,
};
use crate::detect::common::limits::Limits;
use crate::detect::memory::heap::{Heap, Release};
use crate::detect::memory::heap_misuse::HeapMisuses;
use crate::detect::memory::stack_overflow::{StackOverflow, StackOverflows};
use crate::detect::races::benign::BenignRanges;
use crate::detect::races::candidates::{Candidates, Earlier, Key, Place};
use crate::detect::races::cell::{Cell, OpenEpoch};
use crate::detect::races::drain::{Cursor, Plain, SiteWords, WRITE, drain, follow};
use crate::detect::races::shadow::Shadow;
use crate::model::meaning::TouchedBy;
use crate::model::sites::{SiteId, SiteTable};
use crate::model::{Event, EventKind, ObjectAct, Record, Records, ThreadId};

/// Whether a thread that is the only one is to be checked, too: whether it uses what was freed.
pub(in crate::detect) fn checked_alone(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::Object {
            act: ObjectAct::Use,
            ..
        }
    )
}

/// An access about to be made.
#[derive(Clone, Copy, Debug)]
pub(in crate::detect) struct Doing {
    pub(in crate::detect) thread: ThreadId,
    pub(in crate::detect) addr: u64,
    pub(in crate::detect) len: u64,
    pub(in crate::detect) write: bool,
    pub(in crate::detect) kind: AccessKind,
    /// Where; the call on top if none.
    pub(in crate::detect) site: Option<SiteId>,
    /// In the stream.
    pub(in crate::detect) position: u64,
}

impl Doing {
    /// What an event accesses, if anything; `block` is the size of the block it frees.
    pub(in crate::detect) fn of(event: &Event, position: u64, block: Option<u32>) -> Option<Doing> {
        let touched = event.kind.touches()?;
        Some(Doing {
            thread: event.thread,
            addr: touched.addr.into(),
            len: touched.len.or(block)?.into(),
            write: touched.write,
            kind: match touched.by {
                TouchedBy::Atomic(_) => AccessKind::Atomic,
                TouchedBy::Bulk => AccessKind::Bulk,
                TouchedBy::Host | TouchedBy::Object => AccessKind::Host,
                TouchedBy::Free => AccessKind::Free,
            },
            site: touched.site,
            position,
        })
    }

    /// As reports show it.
    pub(in crate::detect) fn describe(&self, contexts: &Contexts) -> Access {
        Access {
            thread: self.thread,
            addr: self.addr as u32,
            len: self.len as u32,
            write: self.write,
            kind: self.kind,
            stack: contexts
                .get(self.thread)
                .map(|context| context.stack(self.site))
                .unwrap_or_default(),
            locks: contexts.locks(self.thread),
        }
    }

    /// A hash of where it is made.
    fn stack_hash(&self, contexts: &Contexts) -> u64 {
        contexts
            .get(self.thread)
            .map_or(0, |thread| thread.stack_hash(self.site))
    }

    /// The plain access of a record.
    #[inline]
    pub(in crate::detect) fn of_record(
        thread: ThreadId,
        record: Record,
        width: u32,
        displacement: u32,
        write: bool,
        position: u64,
    ) -> Doing {
        Doing {
            thread,
            addr: u64::from(record.base()) + u64::from(displacement),
            len: u64::from(width),
            write,
            kind: AccessKind::Plain,
            site: Some(record.site()),
            position,
        }
    }
}

/// The detector.
#[derive(Debug)]
pub(in crate::detect) struct HappensBefore {
    sites: SiteWords,
    order: Order,
    shadow: Shadow,
    heap: Heap,
    benign: BenignRanges,
    candidates: Candidates,
    misuses: HeapMisuses,
    overflows: StackOverflows,
    /// Accesses that were not redundant.
    checked: u64,
    stop: bool,
}

/// What a finished detector leaves.
#[derive(Debug)]
pub(in crate::detect) struct Found {
    pub(in crate::detect) candidates: Candidates,
    pub(in crate::detect) checked: u64,
    pub(in crate::detect) shadow: crate::detect::races::shadow::ShadowSize,
    pub(in crate::detect) forgotten: u64,
    pub(in crate::detect) blocks_dropped: u64,
    pub(in crate::detect) benign_dropped: u64,
    pub(in crate::detect) heap_misuses: Vec<(u64, Diagnosed)>,
    pub(in crate::detect) overflows: Vec<StackOverflow>,
}

impl HappensBefore {
    /// For a program with these sites. `stop`: look no further after the first race.
    pub(in crate::detect) fn new(sites: &SiteTable, limits: &Limits, stop: bool) -> Self {
        HappensBefore {
            sites: SiteWords::new(sites),
            stop,
            order: Order::new(limits),
            shadow: Shadow::new(limits.shared_bytes),
            heap: Heap::new(limits),
            benign: BenignRanges::new(limits.annotations),
            candidates: Candidates::new(limits.candidates),
            misuses: HeapMisuses::default(),
            overflows: StackOverflows::default(),
            checked: 0,
        }
    }

    /// The program has these sites from now on, of which the first are those that it had.
    pub(in crate::detect) fn know(&mut self, sites: &SiteTable) {
        self.sites = SiteWords::new(sites);
    }

    /// The heap block that this byte is in.
    pub(in crate::detect) fn block(&self, addr: u32) -> Option<HeapBlock> {
        self.heap.find(addr)
    }

    /// Whether and why detection ended.
    pub(in crate::detect) fn ended(&self) -> Option<crate::detect::common::limits::DetectionEnd> {
        self.order.ended()
    }

    /// Bytes of shadow memory in use.
    pub(in crate::detect) fn shadow_bytes(&self) -> u64 {
        self.shadow.size().bytes()
    }

    /// Whether this address is in a heap block that was freed.
    pub(in crate::detect) fn is_freed(&self, addr: u32) -> bool {
        let block = self.heap.find(addr);
        block.is_some_and(|block| block.freed.is_some())
    }

    /// Where a live thread is.
    pub(in crate::detect) fn moment(&self, thread: ThreadId) -> Option<Moment> {
        self.order.moment(thread)
    }

    /// Whether what a live thread does now happens after that.
    pub(in crate::detect) fn knows(&self, thread: ThreadId, moment: Moment) -> bool {
        self.order.knows(thread, moment)
    }

    /// Whether a race was found.
    pub(in crate::detect) fn found_races(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// Whether anything was found.
    pub(in crate::detect) fn found_any(&self) -> bool {
        self.found_races() || !self.misuses.is_empty()
    }

    /// What it found.
    pub(in crate::detect) fn finish(self) -> Found {
        Found {
            candidates: self.candidates,
            checked: self.checked,
            shadow: self.shadow.size(),
            forgotten: self.shadow.forgotten(),
            blocks_dropped: self.heap.dropped(),
            benign_dropped: self.benign.dropped(),
            heap_misuses: self.misuses.into_found(),
            overflows: self.overflows.into_found(),
        }
    }

    /// Records of one thread, the first of them at `position`; keeps its context current. Returns their number,
    /// unless it is to stop.
    ///
    /// A thread that is alone is only followed: its accesses are ordered with all others.
    pub(in crate::detect) fn records(
        &mut self,
        sites: &SiteTable,
        contexts: &mut Contexts,
        thread: ThreadId,
        records: Records<'_>,
        position: u64,
    ) -> u64 {
        let mut cursor = Cursor::new(records);
        loop {
            let Some(context) = contexts.get_mut(thread) else {
                return cursor.done();
            };
            let known = self.order.thread(thread).is_some();
            let clock = self.order.alive(thread).filter(|_| known);
            let Some(clock) = clock.filter(|_| !self.order.alone(thread)) else {
                follow(sites, context, &mut cursor);
                return cursor.done();
            };
            let open = clock.open_epoch();
            let plain = Plain {
                epoch: open.map_or(OpenEpoch::NONE, |epoch| OpenEpoch::new(clock.slot(), epoch)),
                read: open.map(|epoch| Cell::new(clock.slot(), epoch, false, false, None)),
                clock: clock.clock(),
            };
            let tables = (sites, &self.sites);
            let Some(record) = drain(&mut self.shadow, tables, context, &mut cursor, &plain) else {
                return cursor.done();
            };
            let site = sites.packed(record.site());
            let doing = Doing::of_record(
                thread,
                record,
                site.width(),
                site.displacement(),
                site.kind() == WRITE,
                position + cursor.done() - 1,
            );
            self.access(contexts, &doing);
            if self.stop && self.found_any() {
                return cursor.done();
            }
        }
    }

    /// One event, already followed by the contexts. `told`: what is wrong with its access has been found.
    pub(in crate::detect) fn event(
        &mut self,
        contexts: &Contexts,
        event: &Event,
        hidden: bool,
        position: u64,
        told: bool,
    ) {
        self.order.acquires(event, hidden);
        let mut block = None;
        match event.kind {
            EventKind::Alloc { addr, size } => {
                self.shadow.clear(addr, size);
                self.order.forget(addr, size);
                self.benign.remove(addr, size);
                if let Some(context) = contexts.get(event.thread) {
                    self.heap.alloc(addr, size, event.thread, context);
                }
            }
            EventKind::Free { addr } => {
                if let Some(context) = contexts.get(event.thread) {
                    let release = self.heap.free(addr, event.thread, context);
                    block = self.freed(contexts, event.thread, (addr, release), hidden, position);
                }
            }
            EventKind::BenignRace { addr, len } => self.benign.add(addr, len),
            EventKind::ThreadStack { low, high } => {
                self.overflows.grown(&self.heap, event.thread, low, high);
            }
            _ => {}
        }
        if !hidden
            && (block.is_some() || checked_alone(event) || !self.order.alone(event.thread))
            && let Some(doing) = Doing::of(event, position, block)
        {
            if told {
                // The second pass, which does not know, counts epochs as well.
                let _ = self.order.begin_access(doing.thread);
            } else {
                self.access(contexts, &doing);
            }
        }
        self.order.releases(event, hidden);
    }

    /// The size of the block that a free ends, if it does.
    fn freed(
        &mut self,
        contexts: &Contexts,
        thread: ThreadId,
        (addr, release): (u32, Release),
        hidden: bool,
        position: u64,
    ) -> Option<u32> {
        let (misuse, block) = match release {
            Release::Live(size) => return Some(size),
            Release::Freed(block) => (HeapMisuse::DoubleFree, block),
            Release::Within(block) => (HeapMisuse::InvalidFree, block),
            Release::Unknown => return None,
        };
        let doing = Doing {
            thread,
            addr: addr.into(),
            len: 0,
            write: true,
            kind: AccessKind::Free,
            site: None,
            position,
        };
        if !hidden {
            let stack = doing.stack_hash(contexts);
            self.misuses
                .add((misuse, stack), position, || Diagnosis::HeapMisuse {
                    misuse,
                    access: doing.describe(contexts),
                    block,
                });
        }
        None
    }

    fn access(&mut self, contexts: &Contexts, doing: &Doing) {
        let Some(epoch) = self.order.begin_access(doing.thread) else {
            return;
        };
        let Some(thread) = self.order.alive(doing.thread) else {
            return;
        };
        self.checked += 1;
        let site = doing.site.or_else(|| contexts.get(doing.thread)?.top());
        let atomic = doing.kind == AccessKind::Atomic;
        let mut cell = Cell::new(thread.slot(), epoch, doing.write, atomic, site);
        if doing.kind == AccessKind::Free {
            cell = cell.freeing();
        }
        let (order, heap, benign) = (&self.order, &self.heap, &self.benign);
        let (candidates, misuses) = (&mut self.candidates, &mut self.misuses);
        let mut stack = None;
        let range = (doing.addr, doing.len);
        self.shadow
            .update(range, cell, thread.clock(), |granule, races| {
                for &older in races {
                    let mask = benign.strip(granule, older.mask());
                    if mask == 0 {
                        continue;
                    }
                    let stack = *stack.get_or_insert_with(|| doing.stack_hash(contexts));
                    let first = granule * 8 + mask.trailing_zeros();
                    if older.frees() && older.known(thread.clock()) {
                        let block = heap.find(first).filter(|block| block.freed.is_some());
                        if let Some(block) = block {
                            let misuse = HeapMisuse::UseAfterFree;
                            misuses.add((misuse, stack), doing.position, || {
                                Diagnosis::HeapMisuse {
                                    misuse,
                                    access: doing.describe(contexts),
                                    block,
                                }
                            });
                        }
                        continue;
                    }
                    let key = Key {
                        earlier_write: older.write(),
                        earlier_atomic: older.atomic(),
                        earlier_hash: older.hash(),
                        later_write: doing.write,
                        later_kind: doing.kind,
                        later_stack: stack,
                    };
                    candidates.add(key, doing.position, || {
                        let earlier = Earlier {
                            thread: order.owner(older.slot(), older.clock()),
                            epoch: older.clock(),
                            write: older.write(),
                            atomic: older.atomic(),
                            granule,
                            mask,
                        };
                        let block = heap.find(first);
                        let stack = contexts.stack_place(first, block.as_ref());
                        let place = Place { block, stack };
                        (earlier, doing.describe(contexts), place)
                    });
                }
            });
    }
}
