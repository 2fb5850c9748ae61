//! A first reading: which bytes of memory are accessed as one, and which of them matter.
//!
//! The analyses know variables, a guest knows bytes, and its accesses overlap. So memory is cut into the largest *cells*
//! that every access has whole or not at all; these are the variables. A cell that one thread has to itself, that
//! nobody writes, or that is accessed by atomics only cannot race, and is none.
//!
//! **Cost**: 4 bytes per 8 bytes of guest memory that are accessed, whatever the length of the trace.

use crate::model::{AtomicKind, ThreadId};
use crate::predict::translate::locks::Locks;
use crate::predict::translate::paged::Paged;
use crate::predict::translate::visible::{Step, Visible};
use crate::trace::TraceError;
use rustc_hash::FxHashSet;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

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

/// Granules of a page of 4 KiB.
const GRANULES: usize = 512;

/// Bytes of a page.
const PAGE: u64 = 8 * GRANULES as u64;

/// Bytes of an access that is worth a look at how much memory it takes to remember.
const LARGE: u32 = 1 << 20;

/// Why it is not known what is accessed as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::predict) enum Unknown {
    /// It would take too much memory.
    Large,
    Stopped,
}

/// Entries between two looks at the clock; one has the accesses of a slice, 8192 words at most.
const TICK: u64 = 64;

/// What is accessed as one, and how.
#[derive(Debug, Default)]
pub(in crate::predict) struct Shape {
    granules: Paged<Granule, GRANULES>,
    shared_locks: FxHashSet<u32>,
    locks: Arc<Locks>,
    /// Whether locks that are not nested are taken for the order that they had.
    nests: bool,
}

/// Bytes that are accessed as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::predict) struct Cell {
    pub(in crate::predict) addr: u32,
    /// Accesses of it can race.
    pub(in crate::predict) variable: bool,
    /// Atomics access it as well.
    pub(in crate::predict) atomic: bool,
}

impl Shape {
    /// Reads a whole trace.
    pub(in crate::predict) fn of<R: Read>(trace: Visible<R>) -> Result<Shape, TraceError> {
        let shape = Shape::within(trace, None, |_| ControlFlow::Continue(()))?;
        Ok(shape.unwrap_or_default())
    }

    /// The same, if it takes no more than `memory` bytes, and unless `progress`, which is asked now and then and given the
    /// position in the file, stops it.
    pub(in crate::predict) fn within<R: Read>(
        mut trace: Visible<R>,
        memory: Option<u64>,
        mut progress: impl FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Result<Shape, Unknown>, TraceError> {
        let most = memory.unwrap_or(u64::MAX);
        let mut shape = Shape::default();
        let mut entries = 0_u64;
        let mut large = false;
        while trace.next(|at, step| {
            // A range that takes too much is not even begun.
            if let Step::Access { len, .. } = step
                && len > LARGE
            {
                let granules = u64::from(len).div_ceil(8) * size_of::<Granule>() as u64;
                large |= shape.bytes() + granules > most;
            }
            if !large {
                shape.step(at.thread, step);
            }
        })? {
            entries += 1;
            if large || entries.is_multiple_of(TICK) && shape.bytes() > most {
                return Ok(Err(Unknown::Large));
            }
            if entries.is_multiple_of(TICK) && progress(trace.reader().position()).is_break() {
                return Ok(Err(Unknown::Stopped));
            }
        }
        shape.locks = trace.into_locks();
        shape.nests = true;
        Ok(Ok(shape))
    }

    /// About how many bytes it takes.
    pub(in crate::predict) fn bytes(&self) -> u64 {
        self.granules.bytes()
    }

    #[inline(always)]
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
            Step::Acquire {
                lock, shared: true, ..
            } => {
                self.shared_locks.insert(lock);
            }
            Step::Free { addr, len } => self.access(thread, addr, len, PLAIN | WRITTEN),
            Step::Benign { addr, len } => self.access(thread, addr, len, 0),
            _ => {}
        }
    }

    #[inline(always)]
    fn access(&mut self, thread: ThreadId, addr: u32, len: u32, flags: u8) {
        let end = u64::from(addr) + u64::from(len);
        let thread = u16::try_from(thread.0 + 1).unwrap_or(u16::MAX);
        let mut at = u64::from(addr);
        while at < end {
            let granule = self.granules.get_mut(at as u32 >> 3);
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

    /// What is known of the locks.
    pub(in crate::predict) fn locks(&self) -> &Arc<Locks> {
        &self.locks
    }

    /// The same, for those who can do without nesting: all locks are locks.
    pub(in crate::predict) fn any_nesting(mut self) -> Self {
        self.nests = false;
        self
    }

    /// Whether the sections of this lock are in the order that they had, for they are not nested.
    pub(in crate::predict) fn is_ordered(&self, lock: u32) -> bool {
        self.nests && self.locks.is_unnested(lock)
    }

    /// How many locks that is so of.
    pub(in crate::predict) fn ordered(&self) -> usize {
        if self.nests { self.locks.unnested() } else { 0 }
    }

    /// Whether someone takes the lock together with others.
    pub(in crate::predict) fn is_shared(&self, lock: u32) -> bool {
        self.shared_locks.contains(&lock)
    }

    /// Gives `take` the cells of an access that matter.
    #[inline]
    pub(in crate::predict) fn cells(&self, addr: u32, len: u32, mut take: impl FnMut(Cell)) {
        let end = (u64::from(addr) + u64::from(len)).min(1 << 32);
        let first = u64::from(addr) & !7;
        let mut next = first;
        while next < end {
            let base = next;
            if base.is_multiple_of(PAGE) && !self.granules.has_page((base >> 3) as u32) {
                next += PAGE;
                continue;
            }
            next += 8;
            let granule = self.granules.get((base >> 3) as u32);
            let variable = granule.flags & (SHARED | WRITTEN | PLAIN) == SHARED | WRITTEN | PLAIN;
            let atomic = granule.flags & (SHARED | ATOMIC) == SHARED | ATOMIC;
            if !variable && !atomic {
                continue;
            }
            // Those that begin within the access, and the one that it begins in.
            let low = u64::from(addr).saturating_sub(base) as u32;
            let high = (end - base).min(8) as u32;
            let cuts = u32::from(granule.cuts) | 1;
            let from = (cuts & ((2 << low) - 1)).ilog2();
            let mut starts = cuts & ((1 << high) - (1 << from));
            while starts != 0 {
                take(Cell {
                    addr: base as u32 + starts.trailing_zeros(),
                    variable,
                    atomic,
                });
                starts &= starts - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_range_has_the_cells_of_the_pages_that_there_are() {
        let mut shape = Shape::default();
        for thread in [0, 1].map(ThreadId) {
            for addr in [16, 3 * PAGE as u32 + 8] {
                let (len, write) = (4, true);
                shape.step(thread, Step::Access { addr, len, write });
            }
        }
        let mut cells = Vec::new();
        shape.cells(0, u32::MAX, |cell| cells.push(cell.addr));
        // What follows a cell within its eight bytes is one as well.
        let second = 3 * PAGE as u32 + 8;
        assert_eq!(cells, [16, 20, second, second + 4]);
    }

    #[test]
    fn a_range_has_the_cells_that_it_touches() {
        let mut shape = Shape::default();
        for thread in [0, 1].map(ThreadId) {
            for (addr, len) in [(8, 4), (13, 1), (22, 4)] {
                let write = true;
                shape.step(thread, Step::Access { addr, len, write });
            }
        }
        let cells = |addr, len| {
            let mut cells = Vec::new();
            shape.cells(addr, len, |cell| cells.push(cell.addr));
            cells
        };
        assert_eq!(cells(8, 4), [8]);
        assert_eq!(cells(22, 4), [22, 24]);
        assert_eq!(cells(10, 1), [8], "from within a cell");
        assert_eq!(cells(9, 5), [8, 12, 13]);
        assert_eq!(cells(0, 8), [0; 0]);
        assert_eq!(cells(0, 64), [8, 12, 13, 14, 16, 22, 24, 26]);
        assert_eq!(cells(u32::MAX, 1), [0; 0], "the last byte of all");
    }
}
