//! What the instances of all threads take of the host's memory, and the bounds of that.
//!
//! Each thread has an instance, and with it tables of its own. What it takes is counted when the thread is created,
//! before anything is allocated, so that creation can fail. The engine frees no instance: what is counted stays counted,
//! except that the instance of a finished thread may serve another.

use crate::model::limits::{INSTANCE_BYTES, LimitReached, TABLE_ELEMENTS};
use crate::program::ModuleInfo;
use wasmi::ResourceLimiter;
use wasmi_core::LimiterError;

/// Bytes of an element of a table or of a segment.
const ELEMENT: u64 = 4;

/// Bytes for each function of an instance: 50 were measured, in arenas that grow by doubling.
const FUNCTION: u64 = 72;

/// Bytes for each global or table of an instance, with what is put back before it is used again: 158 were measured.
const ENTITY: u64 = 160;

/// The engine's limits of one run. Memory is limited by the machine.
#[derive(Debug)]
pub(in crate::machine) struct Instances {
    /// Bytes of one as it begins.
    each: u64,
    /// Bytes of all, and of those promised to threads that have not entered the guest.
    taken: u64,
    /// Instances of finished threads, promised to nobody.
    spare: u32,
}

impl Instances {
    pub(in crate::machine) fn new(info: &ModuleInfo) -> Instances {
        let elements = info.tables.iter().map(|table| table.initial);
        let elements = elements.fold(info.segment_items, u64::saturating_add);
        let entities = u64::from(info.globals) + info.tables.len() as u64;
        Instances {
            each: (elements.saturating_mul(ELEMENT))
                .saturating_add(info.functions.len() as u64 * FUNCTION)
                .saturating_add(entities * ENTITY),
            taken: 0,
            spare: 0,
        }
    }

    /// Promises an instance to a thread. Returns whether there is room for it.
    pub(in crate::machine) fn reserve(&mut self) -> bool {
        if self.spare > 0 {
            self.spare -= 1;
            return true;
        }
        self.take(self.each)
    }

    /// The instance of a finished thread can be used again.
    pub(super) fn recycled(&mut self) {
        self.spare += 1;
    }

    fn take(&mut self, bytes: u64) -> bool {
        let taken = self.taken.saturating_add(bytes);
        let allowed = taken <= INSTANCE_BYTES;
        if allowed {
            self.taken = taken;
        }
        allowed
    }

    /// Whether a table may grow to so many elements. They are counted from now on.
    pub(super) fn grow_table(&mut self, from: u64, to: u64) -> Result<(), LimitReached> {
        if to > TABLE_ELEMENTS {
            Err(LimitReached::Tables)
        } else if !self.take((to - from).saturating_mul(ELEMENT)) {
            Err(LimitReached::Instances)
        } else {
            Ok(())
        }
    }
}

impl ResourceLimiter for Instances {
    fn memory_growing(
        &mut self,
        _: usize,
        _: usize,
        _: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(true)
    }

    /// All is counted by now.
    fn table_growing(
        &mut self,
        _: usize,
        wanted: usize,
        _: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(wanted as u64 <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        usize::MAX
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}
