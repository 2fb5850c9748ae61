//! What a run showed of the operations on shared memory: how many each thread makes, and what reads saw. Strategies that choose by what
//! earlier runs did are made from it.

use super::SpawnPath;
use super::sites::SiteId;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Atomic accesses, and comparisons of waits.
    pub operations: u64,
    /// Its threads, each behind its creator.
    pub threads: Vec<SpawnPath>,
    /// Words of memory that more than one thread accessed atomically and one at least wrote, by their addresses, which are multiples of
    /// [`Profile::WORD`].
    pub shared: BTreeMap<u32, SharedWord>,
    /// What atomic reads of such words saw.
    pub reads_from: BTreeSet<ReadsFrom>,
}

impl Profile {
    /// Bytes of a word. An access of eight bytes counts for the first of its two.
    pub const WORD: u32 = 4;

    /// The shared words, those together that are written at the same place first: of objects of which there are many, each has such words, and
    /// what is true of one is true of all.
    #[must_use]
    pub fn alike(&self) -> BTreeMap<Option<SiteId>, Vec<u32>> {
        let mut alike: BTreeMap<Option<SiteId>, Vec<u32>> = BTreeMap::new();
        for (&word, shared) in &self.shared {
            alike.entry(shared.like()).or_default().push(word);
        }
        alike
    }

    /// The word of an address.
    #[must_use]
    pub const fn word(addr: u32) -> u32 {
        addr & !(Profile::WORD - 1)
    }
}

/// What happened at a word of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedWord {
    /// Accesses of each thread, by its place in [`Profile::threads`].
    pub accesses: BTreeMap<u32, u32>,
    /// Where it is read.
    pub reads: BTreeSet<SiteId>,
    /// Where it is written.
    pub writes: BTreeSet<SiteId>,
}

impl SharedWord {
    /// What it has in common with words of [others of its kind](Profile::alike).
    pub(crate) fn like(&self) -> Option<SiteId> {
        self.writes.first().copied()
    }
}

/// A read saw what this write wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadsFrom {
    /// The word.
    pub word: u32,
    /// Where it was written; none if what was read was there from the beginning, or a plain access wrote it.
    pub write: Option<SiteId>,
    /// Where it was read.
    pub read: SiteId,
}
