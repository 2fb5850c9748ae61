//! A first reading: which bytes of memory are accessed as one, and which of them matter.
//!
//! The analyses know variables, a guest knows bytes, and its accesses overlap. So memory is cut into the largest *cells*
//! that every access has whole or not at all; these are the variables. A cell that one thread has to itself, that
//! nobody writes, or that is accessed by atomics only cannot race, and is none.
//!
//! **Cost**: 4 bytes per 8 bytes of guest memory that are accessed, whatever the length of the trace.

use super::visible::{Step, Visible};
use crate::trace::file::TraceError;
use crate::trace::{AtomicKind, ThreadId};
use rustc_hash::{FxHashMap, FxHashSet};
use std::io::Read;
use std::ops::{ControlFlow, Range};

#[derive(Clone, Copy, Debug, Default)]
struct Granule {
    /// Bit n: a cell begins at byte n. One always does at byte 0.
    cuts: u8,
    flags: u8,
    /// The only thread, plus 1.
    thread: u16,
}

const SHARED: u8 = 1;
const WRITTEN: u8 = 2;
const PLAIN: u8 = 4;
const ATOMIC: u8 = 8;

/// Bits of the address within a page, and granules of a page.
const PAGE_BITS: u32 = 12;
const GRANULES: usize = 1 << (PAGE_BITS - 3);

/// Entries between two looks at the clock; one has the accesses of a slice, 8192 words at most.
const TICK: u64 = 64;

/// What is accessed as one, and how.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pages: FxHashMap<u32, Box<[Granule; GRANULES]>>,
    shared_locks: FxHashSet<u32>,
}

/// Bytes that are accessed as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) addr: u32,
    pub(super) len: u8,
    /// Accesses of it can race.
    pub(super) variable: bool,
    /// Atomics access it as well.
    pub(super) atomic: bool,
}

impl Shape {
    /// Reads a whole trace.
    pub(super) fn of<R: Read>(trace: Visible<R>) -> Result<Shape, TraceError> {
        let shape = Shape::unless(trace, |_| ControlFlow::Continue(()))?;
        Ok(shape.unwrap_or_default())
    }

    /// The same; none if `progress`, which is asked now and then and given the position in the file, stops it.
    pub(super) fn unless<R: Read>(
        mut trace: Visible<R>,
        mut progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Option<Shape>, TraceError> {
        let mut shape = Shape::default();
        let mut entries = 0_u64;
        while trace.next(|at, step| shape.step(at.thread, step))? {
            entries += 1;
            if entries.is_multiple_of(TICK) && progress(trace.reader().position()).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(shape))
    }

    fn step(&mut self, thread: ThreadId, step: Step) {
        match step {
            Step::Access { addr, len, write } => {
                let flags = PLAIN | if write { WRITTEN } else { 0 };
                self.access(thread, addr, len, flags);
            }
            Step::Atomic { addr, len, kind } => {
                let flags = ATOMIC | if kind == AtomicKind::Load { 0 } else { WRITTEN };
                self.access(thread, addr, len, flags);
            }
            Step::Acquire { lock, shared: true } => {
                self.shared_locks.insert(lock);
            }
            _ => {}
        }
    }

    fn access(&mut self, thread: ThreadId, addr: u32, len: u32, flags: u8) {
        let end = u64::from(addr) + u64::from(len);
        let thread = u16::try_from(thread.0 + 1).unwrap_or(u16::MAX);
        let mut at = u64::from(addr);
        while at < end {
            let granule = self.granule(at as u32);
            granule.cuts |= 1 << (at & 7);
            let next = (at | 7) + 1;
            if end < next {
                granule.cuts |= 1 << (end & 7);
            }
            if granule.thread != thread {
                granule.flags |= if granule.thread == 0 { 0 } else { SHARED };
                granule.thread = thread;
            }
            granule.flags |= flags;
            at = next;
        }
    }

    fn granule(&mut self, addr: u32) -> &mut Granule {
        let page = self.pages.entry(addr >> PAGE_BITS);
        let page = page.or_insert_with(|| Box::new([Granule::default(); GRANULES]));
        &mut page[(addr >> 3) as usize % GRANULES]
    }

    /// Whether someone takes the lock together with others.
    pub(super) fn is_shared(&self, lock: u32) -> bool {
        self.shared_locks.contains(&lock)
    }

    /// The cells of an access that matter.
    pub(super) fn cells(&self, addr: u32, len: u32) -> impl Iterator<Item = Cell> {
        let end = (u64::from(addr) + u64::from(len)).min(1 << 32);
        let first = u64::from(addr) & !7;
        (first..end).step_by(8).flat_map(move |base| {
            let granule = self.get(base as u32);
            let variable = granule.flags & (SHARED | WRITTEN | PLAIN) == SHARED | WRITTEN | PLAIN;
            let atomic = granule.flags & (SHARED | ATOMIC) == SHARED | ATOMIC;
            let cuts = if variable || atomic {
                granule.cuts | 1
            } else {
                0
            };
            ranges(cuts).filter_map(move |bytes| {
                let range = base + u64::from(bytes.start)..base + u64::from(bytes.end);
                (range.start < end && u64::from(addr) < range.end).then_some(Cell {
                    addr: range.start as u32,
                    len: bytes.len() as u8,
                    variable,
                    atomic,
                })
            })
        })
    }

    fn get(&self, addr: u32) -> Granule {
        let page = self.pages.get(&(addr >> PAGE_BITS));
        page.map_or_else(Granule::default, |page| {
            page[(addr >> 3) as usize % GRANULES]
        })
    }
}

/// The cells of a granule.
fn ranges(cuts: u8) -> impl Iterator<Item = Range<u8>> {
    (0..8u8)
        .filter(move |byte| cuts & 1 << byte != 0)
        .map(move |start| {
            let later = cuts.checked_shr(u32::from(start) + 1).unwrap_or(0);
            let len = if later == 0 {
                8 - start
            } else {
                later.trailing_zeros() as u8 + 1
            };
            start..start + len
        })
}
