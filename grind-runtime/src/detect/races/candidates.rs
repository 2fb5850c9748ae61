//! Races as the first pass sees them: the later access complete, the earlier one by its epoch.
//!
//! Shadow memory stores no stacks, so the first pass knows of the earlier access who made it, in which
//! epoch, of what kind, and which bytes. The second pass ([`second_pass`](crate::detect::races::second_pass)) has
//! the rest. Candidates that agree in the kinds, the earlier site (as its hash) and the later stack are one,
//! with a count; they are bounded by [`Limits::candidates`](crate::detect::Limits::candidates), and others are
//! counted.

use crate::detect::common::diagnosis::{
    Access, AccessKind, Diagnosed, Diagnosis, HeapBlock, StackPlace,
};
use crate::detect::common::step::History;
use crate::model::ThreadId;
use rustc_hash::FxHashMap;

/// The earlier access of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) struct Earlier {
    pub(in crate::detect) thread: ThreadId,
    /// The thread's clock then.
    pub(in crate::detect) epoch: u32,
    pub(in crate::detect) write: bool,
    pub(in crate::detect) atomic: bool,
    /// Aligned 8 bytes, and those among them that both accesses concern.
    pub(in crate::detect) granule: u32,
    pub(in crate::detect) mask: u8,
}

/// What the bytes of a race belong to, when the later access is made.
#[derive(Clone, Debug, Default)]
pub(in crate::detect) struct Place {
    pub(in crate::detect) block: Option<HeapBlock>,
    pub(in crate::detect) stack: Option<StackPlace>,
}

/// A race with one stack.
#[derive(Debug)]
pub(in crate::detect) struct Candidate {
    pub(in crate::detect) earlier: Earlier,
    pub(in crate::detect) later: Access,
    /// Position of the later access in the stream.
    pub(in crate::detect) position: u64,
    pub(in crate::detect) place: Place,
    pub(in crate::detect) count: u64,
    /// When it was last counted: one access counts once.
    last: u64,
}

/// What makes two candidates the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::detect) struct Key {
    pub(in crate::detect) earlier_write: bool,
    pub(in crate::detect) earlier_atomic: bool,
    pub(in crate::detect) earlier_hash: u16,
    pub(in crate::detect) later_write: bool,
    pub(in crate::detect) later_kind: AccessKind,
    pub(in crate::detect) later_stack: u64,
}

/// All of them, in order of first occurrence.
#[derive(Debug)]
pub(in crate::detect) struct Candidates {
    list: Vec<Candidate>,
    by_key: FxHashMap<Key, usize>,
    limit: usize,
    dropped: u64,
}

impl Candidates {
    pub(in crate::detect) fn new(limit: usize) -> Self {
        Candidates {
            list: Vec::new(),
            by_key: FxHashMap::default(),
            limit,
            dropped: 0,
        }
    }

    /// Counts a race; `describe` is called if it is a new one.
    pub(in crate::detect) fn add(
        &mut self,
        key: Key,
        position: u64,
        describe: impl FnOnce() -> (Earlier, Access, Place),
    ) {
        if let Some(&index) = self.by_key.get(&key) {
            let known = &mut self.list[index];
            if known.last != position {
                known.last = position;
                known.count += 1;
            }
        } else if self.list.len() < self.limit {
            let (earlier, later, place) = describe();
            self.by_key.insert(key, self.list.len());
            self.list.push(Candidate {
                earlier,
                later,
                position,
                place,
                count: 1,
                last: position,
            });
        } else {
            self.dropped += 1;
        }
    }

    /// Whether there is any.
    pub(in crate::detect) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Races beyond the limit.
    pub(in crate::detect) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// In order of first occurrence.
    pub(in crate::detect) fn into_list(self) -> Vec<Candidate> {
        self.list
    }
}

impl Candidate {
    /// As diagnoses, one for each of these earlier accesses; if there is none, one without its stack.
    pub(in crate::detect) fn diagnose(
        self,
        firsts: Vec<(Access, Option<History>)>,
    ) -> impl Iterator<Item = (u64, Diagnosed)> {
        let Candidate {
            earlier,
            later,
            position,
            place,
            count,
            ..
        } = self;
        let firsts = if firsts.is_empty() {
            vec![(earlier.describe(), None)]
        } else {
            firsts
        };
        firsts.into_iter().map(move |(first, history)| {
            let second = later.clone();
            let Place { block, stack } = place.clone();
            (
                position,
                Diagnosed {
                    diagnosis: Diagnosis::DataRace {
                        first,
                        second,
                        block,
                        stack_place: stack,
                        history,
                    },
                    count,
                },
            )
        })
    }
}

impl Earlier {
    fn describe(self) -> Access {
        let Earlier {
            thread,
            write,
            atomic,
            granule,
            mask,
            ..
        } = self;
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
    }
}

/// One diagnosis for all races that agree in both stacks and kinds, in either order, with the sum of their
/// counts; the first occurrence stands for them. The list is in order of position.
///
/// Races that agree because several accesses of an epoch turned out to be the same begin at the same
/// position; then the later accesses are the same ones too, and are not counted again.
pub(in crate::detect) fn unify(found: Vec<(u64, Diagnosed)>) -> Vec<Diagnosed> {
    let mut index = FxHashMap::default();
    let mut unified: Vec<(u64, Diagnosed)> = Vec::new();
    for (position, new) in found {
        if let Diagnosis::DataRace { first, second, .. } = &new.diagnosis {
            let side = |access: &Access| (access.stack.clone(), access.write, access.kind as u8);
            let (a, b) = (side(first), side(second));
            let key = if a <= b { (a, b) } else { (b, a) };
            if let Some(&same) = index.get(&key) {
                let (at, same): &mut (u64, Diagnosed) = &mut unified[same];
                if *at == position {
                    same.count = same.count.max(new.count);
                } else {
                    same.count += new.count;
                }
                continue;
            }
            index.insert(key, unified.len());
        }
        unified.push((position, new));
    }
    unified
        .into_iter()
        .map(|(_, diagnosed)| diagnosed)
        .collect()
}
