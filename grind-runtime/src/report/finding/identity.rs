//! Whether two findings are the same defect, so that a report counts instead of repeating it: within a run, and between
//! the runs of many seeds.
//!
//! Two findings are the same if they are of one kind and have one fingerprint, if their stacks have the same *places* (file
//! and line of the innermost frame of the user's own code; where the line is not known, function and offset), and if
//! either
//!
//! - they came there the same *way*: through the same functions of the package that the place is in, in any order and
//!   however often, up to the first function of another package or of a library; or
//! - they are about the same *thing*: the same variable, a heap block allocated at the same place, the same lock, the
//!   same address.
//!
//! So neither the number of a thread, nor the depth of a recursion, nor what of a library is between the program and
//! itself (an allocator's callers, a pool of threads that runs a closure or has it stolen) makes another finding. Two
//! bugs in one function stay two, for their places differ, and so do two uses of one accessor, for ways and things
//! differ. Of races and traps on one line, columns tell those apart that are about different things.

use crate::program::symbols::Frame;
use crate::report::finding::fingerprint::{Fingerprint, normal_function};
use crate::report::finding::frames::{is_library, package, place};
use crate::report::finding::parts::{Part, lock_of, parts, to_blame};
use crate::report::finding::{Evidence, Finding, FindingKind, HeapBlock, HeldLock, Memory, Race};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Where a stack is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Place {
    Line(String, u32),
    /// Function and offset.
    Offset(u32, u32),
    Unknown,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Thing {
    /// A variable with a fixed address.
    Global(String, u32),
    /// A heap block that was allocated here.
    Heap(Place),
    /// A variable, or any byte, of the frame of this function.
    Stack(String, Option<String>),
    /// Locks, by name or address.
    Locks(BTreeSet<String>),
}

/// What tells a finding from others of its kind and fingerprint.
#[derive(Clone, Debug)]
pub(in crate::report) struct Identity {
    places: Vec<Place>,
    columns: Vec<Option<u32>>,
    ways: Vec<String>,
    thing: Option<Thing>,
    address: Option<u32>,
}

impl Identity {
    pub(in crate::report) fn of(finding: &Finding) -> Identity {
        let evidence = &finding.evidence;
        let parts = parts(evidence);
        let sorted = |mut places: Vec<Place>| {
            places.sort();
            places.dedup();
            places
        };
        let mut columns: Vec<Option<u32>> = Vec::new();
        if matches!(evidence, Evidence::Race(_) | Evidence::Trap(_)) {
            let column = |part: &Part<'_>| place(part.stack).and_then(|frame| frame.column);
            columns.extend(parts.iter().map(column));
            columns.sort_unstable();
            columns.dedup();
        }
        let mut ways: Vec<String> = parts.iter().map(way).collect();
        ways.sort();
        ways.dedup();
        Identity {
            places: sorted(parts.iter().map(|part| place_of(part.stack)).collect()),
            columns,
            ways,
            thing: thing(evidence),
            address: match evidence {
                Evidence::Race(race) => Some(race.address),
                _ => None,
            },
        }
    }

    /// Whether findings of one kind and fingerprint that have these are the same.
    pub(in crate::report) fn is_same_as(&self, other: &Identity) -> bool {
        self.places == other.places && self.is_same_there(other)
    }

    /// The same, if the places are.
    fn is_same_there(&self, other: &Identity) -> bool {
        let same_way = self.columns == other.columns && self.ways == other.ways;
        let same_thing = (self.thing.is_some() && self.thing == other.thing)
            || (self.address.is_some() && self.address == other.address);
        same_way || same_thing
    }
}

/// What is cheap to compare of an identity.
type Key = (FindingKind, Fingerprint, Vec<Place>);

/// Findings of a list, by what makes them the same.
#[derive(Clone, Debug, Default)]
pub struct Index {
    known: FxHashMap<Key, Vec<(Identity, usize)>>,
}

impl Index {
    /// The index of a list.
    #[must_use]
    pub fn of(list: &[Finding]) -> Index {
        let mut index = Index::default();
        for (at, finding) in list.iter().enumerate() {
            index.insert(finding, Identity::of(finding), at);
        }
        index
    }

    /// Adds a finding to the list that this is the index of; if it is the same as one of them, only counts it. Returns
    /// whether it was new.
    pub fn add(&mut self, list: &mut Vec<Finding>, finding: Finding) -> bool {
        let identity = Identity::of(&finding);
        if let Some(at) = self.find(&finding, &identity) {
            list[at].count = list[at].count.saturating_add(finding.count);
            return false;
        }
        self.insert(&finding, identity, list.len());
        list.push(finding);
        true
    }

    /// The position of the finding in the list that is the same as this one.
    #[must_use]
    pub fn position(&self, finding: &Finding) -> Option<usize> {
        self.find(finding, &Identity::of(finding))
    }

    pub(in crate::report) fn find(&self, finding: &Finding, identity: &Identity) -> Option<usize> {
        let there = self.known.get(&key(finding, identity))?;
        let same = there
            .iter()
            .find(|(known, _)| known.is_same_there(identity));
        same.map(|&(_, at)| at)
    }

    pub(in crate::report) fn insert(&mut self, finding: &Finding, identity: Identity, at: usize) {
        let key = key(finding, &identity);
        self.known.entry(key).or_default().push((identity, at));
    }
}

fn key(finding: &Finding, identity: &Identity) -> Key {
    (finding.kind, finding.fingerprint, identity.places.clone())
}

fn place_of(stack: &[Frame]) -> Place {
    match place(stack) {
        None => Place::Unknown,
        Some(frame) => match (&frame.file, frame.line) {
            (Some(file), Some(line)) => Place::Line(file.clone(), line),
            _ => Place::Offset(frame.func_index, frame.offset),
        },
    }
}

/// The functions of the place's own package, from there outwards until another package or a library begins, as a set.
fn way(part: &Part<'_>) -> String {
    let stack = part.stack;
    let own = stack.iter().position(|frame| !is_library(frame));
    let functions: BTreeSet<String> = match own {
        Some(own) => {
            let of = package(&stack[own]);
            (stack[own..].iter())
                .take_while(|frame| !is_library(frame) && package(frame) == of)
                .map(normal_function)
                .collect()
        }
        None => stack.iter().map(normal_function).collect(),
    };
    let functions: Vec<String> = functions.into_iter().collect();
    format!("{} {}", part.what, functions.join(" "))
}

fn thing(evidence: &Evidence) -> Option<Thing> {
    let allocated = |block: &HeapBlock| match place_of(&block.stack) {
        Place::Unknown => None,
        place => Some(Thing::Heap(place)),
    };
    match evidence {
        Evidence::Race(race) => match &race.heap_block {
            Some(block) => allocated(block),
            None => variable(race),
        },
        Evidence::HeapMisuse(misuse) => allocated(&misuse.heap_block),
        Evidence::Blocked(blocked) => locks((to_blame(blocked).iter()).filter_map(|thread| {
            let address = lock_of(&thread.waits_for)?;
            let held = blocked.threads.iter().flat_map(|thread| &thread.locks);
            let name =
                (held.filter(|held| held.address == address)).find_map(|held| held.name.clone());
            Some(name.unwrap_or_else(|| address.to_string()))
        })),
        Evidence::LockOrder(order) => {
            let name = |lock: &HeldLock| lock.name.clone().unwrap_or(lock.address.to_string());
            locks(
                order
                    .edges
                    .iter()
                    .flat_map(|edge| [name(&edge.held), name(&edge.taken)]),
            )
        }
        Evidence::LockMisuse(misuse) => {
            let name = misuse.name.clone().unwrap_or(misuse.address.to_string());
            locks([name])
        }
        Evidence::Trap(_)
        | Evidence::ThreadLeak(_)
        | Evidence::HandleMisuse(_)
        | Evidence::Note(_) => None,
    }
}

fn locks(names: impl IntoIterator<Item = String>) -> Option<Thing> {
    let names: BTreeSet<String> = names.into_iter().collect();
    (!names.is_empty()).then_some(Thing::Locks(names))
}

fn variable(race: &Race) -> Option<Thing> {
    match race.memory.as_ref()? {
        Memory::Global(global) => Some(Thing::Global(global.name.clone(), global.address)),
        Memory::Stack { frame, .. } => {
            let frame = frame.as_ref()?;
            let function = normal_function(frame.stack.first()?);
            let variable = frame.variable.as_ref();
            Some(Thing::Stack(function, variable.map(|one| one.name.clone())))
        }
    }
}
