//! Races as the first pass sees them: the later access complete, the earlier one by its epoch.
//!
//! Shadow memory stores no stacks, so the first pass knows of the earlier access who made it, in which
//! epoch, of what kind, and which bytes. The second pass ([`second_pass`](super::second_pass)) has
//! the rest. Candidates that agree in the kinds, the earlier site (as its hash) and the later stack are one,
//! with a count; they are bounded by [`Limits::candidates`](super::Limits::candidates), and others are
//! counted.

use super::diagnosis::{Access, AccessKind, Diagnosed, Diagnosis, HeapBlock};
use crate::trace::ThreadId;
use rustc_hash::FxHashMap;

/// The earlier access of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    pub(super) thread: ThreadId,
    /// The thread's clock then.
    pub(super) epoch: u32,
    pub(super) write: bool,
    pub(super) atomic: bool,
    /// Aligned 8 bytes, and those among them that both accesses concern.
    pub(super) granule: u32,
    pub(super) mask: u8,
}

/// A race with one stack.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) earlier: Earlier,
    pub(super) later: Access,
    /// Position of the later access in the stream.
    pub(super) position: u64,
    pub(super) block: Option<HeapBlock>,
    pub(super) count: u64,
    /// When it was last counted: one access counts once.
    last: u64,
}

/// What makes two candidates the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) earlier_write: bool,
    pub(super) earlier_atomic: bool,
    pub(super) earlier_hash: u16,
    pub(super) later_write: bool,
    pub(super) later_kind: AccessKind,
    pub(super) later_stack: u64,
}

/// All of them, in order of first occurrence.
#[derive(Debug)]
pub(super) struct Candidates {
    list: Vec<Candidate>,
    by_key: FxHashMap<Key, usize>,
    limit: usize,
    dropped: u64,
}

impl Candidates {
    pub(super) fn new(limit: usize) -> Self {
        Candidates {
            list: Vec::new(),
            by_key: FxHashMap::default(),
            limit,
            dropped: 0,
        }
    }

    /// Counts a race; `describe` is called if it is a new one.
    pub(super) fn add(
        &mut self,
        key: Key,
        position: u64,
        describe: impl FnOnce() -> (Earlier, Access, Option<HeapBlock>),
    ) {
        if let Some(&index) = self.by_key.get(&key) {
            let known = &mut self.list[index];
            if known.last != position {
                known.last = position;
                known.count += 1;
            }
        } else if self.list.len() < self.limit {
            let (earlier, later, block) = describe();
            self.by_key.insert(key, self.list.len());
            self.list.push(Candidate {
                earlier,
                later,
                position,
                block,
                count: 1,
                last: position,
            });
        } else {
            self.dropped += 1;
        }
    }

    /// Whether there is any.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Races beyond the limit.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// In order of first occurrence.
    pub(super) fn into_list(self) -> Vec<Candidate> {
        self.list
    }
}

impl Candidate {
    /// As a diagnosis, with the earlier access if it is known by now.
    pub(super) fn diagnose(self, first: Option<Access>) -> Diagnosed {
        let first = first.unwrap_or_else(|| {
            let Earlier {
                thread,
                write,
                atomic,
                granule,
                mask,
                ..
            } = self.earlier;
            Access {
                thread,
                addr: granule * 8 + mask.trailing_zeros(),
                len: 8 - mask.leading_zeros() - mask.trailing_zeros(),
                write,
                kind: if atomic {
                    AccessKind::Atomic
                } else {
                    AccessKind::Plain
                },
                stack: Vec::new(),
                locks: Vec::new(),
            }
        });
        Diagnosed {
            diagnosis: Diagnosis::DataRace {
                first,
                second: self.later,
                block: self.block,
            },
            count: self.count,
        }
    }
}

/// One diagnosis for all that agree in both stacks and kinds, in either order; the first occurrence
/// stands for them.
pub(super) fn unify(races: Vec<Diagnosed>) -> Vec<Diagnosed> {
    let mut index = FxHashMap::default();
    let mut unified: Vec<Diagnosed> = Vec::new();
    for race in races {
        if let Diagnosis::DataRace { first, second, .. } = &race.diagnosis {
            let side = |access: &Access| (access.stack.clone(), access.write, access.kind as u8);
            let (a, b) = (side(first), side(second));
            let key = if a <= b { (a, b) } else { (b, a) };
            if let Some(&same) = index.get(&key) {
                let same: &mut Diagnosed = &mut unified[same];
                same.count += race.count;
                continue;
            }
            index.insert(key, unified.len());
        }
        unified.push(race);
    }
    unified
}
