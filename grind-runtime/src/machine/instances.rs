//! What the instances of all threads take of the host's memory, and the bounds of that.
//!
//! Each thread has an instance, and with it tables of its own. What it takes is counted when the thread is created,
//! before anything is allocated, so that creation can fail. The engine frees no instance: what is counted stays counted,
//! except that the instance of a finished thread may serve another.

use super::MachineError;
use crate::model::limits::{INSTANCE_BYTES, LimitReached, TABLE_ELEMENTS};
use crate::program::ModuleInfo;

/// Bytes of an element of a table or of a segment.
const ELEMENT: u64 = 4;

/// Bytes for each function of an instance: 50 were measured, in arenas that grow by doubling.
const FUNCTION: u64 = 72;

/// Bytes for each global or table of an instance, with what is put back before it is used again: 158 were measured.
const ENTITY: u64 = 160;

/// What instances take in one run, and may. Memory is limited by the machine.
#[derive(Debug)]
pub(super) struct Instances {
    /// Bytes of one as it begins.
    each: u64,
    /// Bytes of all, and of those promised to threads that have not entered the guest.
    taken: u64,
    /// Instances of finished threads, promised to nobody.
    spare: u32,
}

impl Instances {
    pub(super) fn new(info: &ModuleInfo) -> Instances {
        let mut instances = Instances {
            each: 0,
            taken: 0,
            spare: 0,
        };
        instances.are_of(info);
        instances
    }

    /// Instances are of this program from now on. Those of another cannot serve its threads.
    pub(super) fn are_of(&mut self, info: &ModuleInfo) {
        let elements = info.tables.iter().map(|table| table.initial);
        let elements = elements.fold(info.segment_items, u64::saturating_add);
        let entities = u64::from(info.globals) + info.tables.len() as u64;
        self.each = (elements.saturating_mul(ELEMENT))
            .saturating_add(info.functions.len() as u64 * FUNCTION)
            .saturating_add(entities * ENTITY);
        self.spare = 0;
    }

    /// Promises an instance to a thread. Returns whether there is room for it.
    pub(super) fn reserve(&mut self) -> bool {
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

/// What is said of a table beyond the bounds.
pub(super) fn table_too_large() -> String {
    format!("a table has more than {TABLE_ELEMENTS} elements, or more than there is memory for")
}

/// Why not even one instance of the module is made.
pub(super) fn too_large(info: &ModuleInfo) -> MachineError {
    let mut tables = info.tables.iter();
    MachineError::Instantiation(if tables.any(|table| table.initial > TABLE_ELEMENTS) {
        table_too_large()
    } else {
        format!(
            "an instance takes more than {} MiB with its tables",
            INSTANCE_BYTES >> 20
        )
    })
}
