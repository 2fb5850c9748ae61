//! What a pending operation accesses that others can observe, as far as that is known before it is carried out.

use crate::model::sites::SiteId;
use crate::model::{AtomicKind, Operation};

/// Bytes of an address at which threads wait, where nothing else is known.
const WORD: u8 = 4;

/// See the module. A compare-exchange counts as a write, though it may turn out to be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) site: SiteId,
    first: u64,
    len: u64,
    /// It takes the value, or compares it.
    pub(super) reads: bool,
    /// It gives it another.
    pub(super) writes: bool,
    changes: bool,
}

impl Access {
    pub(super) fn of(operation: &Operation<'_>) -> Option<Access> {
        let of = |site, first, width: u8, reads, writes, changes| Access {
            site,
            first,
            len: width.into(),
            reads,
            writes,
            changes,
        };
        Some(match *operation {
            Operation::Atomic {
                site,
                addr,
                width,
                kind,
            } => {
                let writes = kind != AtomicKind::Load;
                of(site, addr, width, kind != AtomicKind::Store, writes, writes)
            }
            // Who waits is one more of those that a notification finds.
            Operation::Wait { site, addr, width } => of(site, addr, width, true, false, true),
            Operation::Notify { site, addr } => of(site, addr, WORD, false, false, true),
            Operation::WaitEnd { site, addr } => of(site, addr, WORD, false, false, false),
            _ => return None,
        })
    }

    /// Whether the order of the two makes a difference.
    pub(super) fn conflicts(self, other: Access) -> bool {
        (self.changes || other.changes)
            && self.first < other.first.saturating_add(other.len)
            && other.first < self.first.saturating_add(self.len)
    }

    /// Its first byte, in a memory of 32-bit addresses.
    pub(super) fn addr(self) -> Option<u32> {
        u32::try_from(self.first).ok()
    }
}
