//! Heap blocks used against their rules: after their end, freed again, or freed by an address within.
//!
//! **Finds**
//! - an access to a freed block that happens after the free. Where nothing orders the two, that is a data race with
//!   the release of memory, and [`happens_before`](crate::detect::races::happens_before) reports it;
//! - the free of a block that was freed and not allocated again since, by whatever threads;
//! - the free of an address inside a live block.
//!
//! The free of a block writes a cell of its own into shadow memory, which conflicts with every later access,
//! until the bytes are allocated again ([`shadow`](crate::detect::races::shadow)). That is AddressSanitizer's poisoned memory
//! (Serebryany et al., *AddressSanitizer: a fast address sanity checker*, USENIX ATC 2012), in the
//! cells that race detection has anyway.
//!
//! **Misses** accesses to memory that was allocated again, for nothing keeps an allocator from that; accesses by a
//! thread that is the only one, which are not looked at; what hidden functions do; blocks beyond
//! [`Limits::heap_blocks`](crate::detect::Limits::heap_blocks); blocks after which 65,536 others were freed; accesses
//! beyond a block's ends; allocators that nobody knows by name.
//!
//! **Falsely reports** where an allocation was not seen: one that the compiler inlined although the free was not.
//! Memory that was allocated again, what allocators do to it, and `realloc` in place or without success are told apart.
//!
//! **Cost**: nothing for accesses; a hash of the call stack per free.

use crate::detect::common::diagnosis::{Diagnosed, Diagnosis, HeapMisuse};
use rustc_hash::FxHashMap;

/// At most this many distinct ones are kept; others count towards nothing.
const MAX_KEPT: usize = 1000;

/// Every misuse found, in order of first occurrence.
#[derive(Debug, Default)]
pub(in crate::detect) struct HeapMisuses {
    found: Vec<(u64, Diagnosed)>,
    /// By kind and stack of the access: where it is in the list, and when it was last counted.
    known: FxHashMap<(HeapMisuse, u64), (usize, u64)>,
}

impl HeapMisuses {
    /// Counts a misuse by an access with this stack; `describe` is called if it is a new one. One access
    /// counts once.
    pub(in crate::detect) fn add(
        &mut self,
        (misuse, stack): (HeapMisuse, u64),
        position: u64,
        describe: impl FnOnce() -> Diagnosis,
    ) {
        if let Some((index, last)) = self.known.get_mut(&(misuse, stack)) {
            if std::mem::replace(last, position) != position {
                self.found[*index].1.count += 1;
            }
        } else if self.found.len() < MAX_KEPT {
            self.known
                .insert((misuse, stack), (self.found.len(), position));
            let (diagnosis, count) = (describe(), 1);
            self.found.push((position, Diagnosed { diagnosis, count }));
        }
    }

    /// Whether there is any.
    pub(in crate::detect) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// With the position of the first occurrence, in that order.
    pub(in crate::detect) fn into_found(self) -> Vec<(u64, Diagnosed)> {
        self.found
    }
}
