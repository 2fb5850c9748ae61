//! What led to a race, step by step, and why the two accesses are not ordered.

use crate::detect::StepKind;
use crate::model::ThreadId;
use crate::program::symbols::Frame;
use crate::report::finding::frames::{is_library, place};
use crate::report::finding::{Finding, Race};
use crate::report::text::{address_label, hex};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Steps shown before each access, and after the first.
const SHOWN: usize = 3;

/// What the two threads of a race did to order themselves with others, around their accesses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// In order; both accesses are among them.
    pub steps: Vec<Step>,
    /// Index of what the earlier thread released first after its access, or with it.
    pub released: Option<usize>,
    /// Index of what the later thread acquired last before its access, or with it.
    pub acquired: Option<usize>,
}

/// One step of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Who.
    pub thread: ThreadId,
    /// What.
    pub did: StepKind,
    /// The lock, the atomic, or what else it was done to; of an access, its first byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<u32>,
    /// The name of the lock, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The thread that was created or joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<ThreadId>,
    /// Where, innermost first; that of an access is with the access.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<Frame>,
    /// So many steps of this thread, since its step before, are left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde gives a reference to the field"
)]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Orders that could be between two threads, by what they are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    Life(ThreadId),
    Creation(ThreadId),
    Lock(u32),
    Atomic(u32),
    Waiters(u32),
    Other(u32),
}

impl Step {
    /// The access that it is, if it is one.
    fn access(&self) -> Option<usize> {
        match self.did {
            StepKind::FirstAccess => Some(0),
            StepKind::SecondAccess => Some(1),
            _ => None,
        }
    }

    /// Whether it is the program's own, or a library's that no code of the program called for.
    fn is_own(&self) -> bool {
        matches!(self.did, StepKind::Start | StepKind::End)
            || self.stack.is_empty()
            || !self.stack.iter().all(is_library)
    }

    fn object(&self, race: &Race) -> Option<Object> {
        let other = self.other.unwrap_or(self.thread);
        let of = |object: fn(u32) -> Object| self.address.map(object);
        match self.did {
            StepKind::Start | StepKind::Create => Some(Object::Creation(other)),
            StepKind::End | StepKind::Join => Some(Object::Life(other)),
            StepKind::Lock
            | StepKind::LockShared
            | StepKind::Unlock
            | StepKind::CondvarWait
            | StepKind::CondvarWake => of(Object::Lock),
            StepKind::Load | StepKind::Store | StepKind::Update => of(Object::Atomic),
            StepKind::Woken | StepKind::Notify => of(Object::Waiters),
            StepKind::Release | StepKind::Acquire => of(Object::Other),
            StepKind::FirstAccess => Some(Object::Atomic(race.accesses[0].address)),
            StepKind::SecondAccess => Some(Object::Atomic(race.accesses[1].address)),
        }
    }
}

/// A line of the interleaving.
pub(in crate::report) struct Line<'a> {
    /// Counted from 1.
    pub(in crate::report) number: usize,
    pub(in crate::report) thread: ThreadId,
    /// `locks 0x… `queue``
    pub(in crate::report) text: String,
    /// Which access it is, from 1.
    pub(in crate::report) access: Option<usize>,
    /// Where, if that is known.
    pub(in crate::report) frame: Option<&'a Frame>,
    /// What it is to the order that there should be.
    pub(in crate::report) role: Option<&'static str>,
    /// So many steps of this thread before it are left out.
    pub(in crate::report) left_out: u64,
}

impl History {
    /// Of the steps that are known, those that explain: the program's own that are nearest to the accesses.
    pub(in crate::report) fn select(
        steps: Vec<Step>,
        released: Option<usize>,
        acquired: Option<usize>,
    ) -> History {
        let access = |number| steps.iter().position(|step| step.access() == Some(number));
        let (Some(first), Some(second)) = (access(0), access(1)) else {
            return History {
                steps,
                released,
                acquired,
            };
        };
        let own = |of: usize| {
            let thread = steps[of].thread;
            let all = steps.iter().enumerate();
            all.filter(move |(index, step)| step.thread == thread && step.is_own() && *index != of)
        };
        let before = |of: usize| own(of).rev().skip_while(move |(index, _)| *index > of);
        let after = || own(first).skip_while(|(index, _)| *index < first);
        let index = |(index, _): (usize, &Step)| index;
        let released = match released {
            Some(step) if step != first => after().find(|(_, step)| step.did.releases()).map(index),
            itself => itself,
        };
        let acquired = match acquired {
            Some(step) if step != second => before(second)
                .find(|(_, step)| step.did.acquires())
                .map(index),
            itself => itself,
        };
        let shown: BTreeSet<usize> = [first, second]
            .into_iter()
            .chain(released)
            .chain(acquired)
            .chain(before(first).take(SHOWN).map(index))
            .chain(after().take(SHOWN).map(index))
            .chain(before(second).take(SHOWN).map(index))
            .collect();
        let place = |step: Option<usize>| step.map(|step| shown.range(..step).count());
        let (released, acquired) = (place(released), place(acquired));
        // Of each thread that was shown: the steps since.
        let mut since: BTreeMap<ThreadId, u64> = BTreeMap::new();
        let mut selected = Vec::new();
        for (index, mut step) in steps.into_iter().enumerate() {
            if shown.contains(&index) {
                step.left_out += since.insert(step.thread, 0).unwrap_or(0);
                selected.push(step);
            } else if let Some(since) = since.get_mut(&step.thread) {
                *since += step.left_out + u64::from(step.is_own());
            }
        }
        History {
            steps: selected,
            released,
            acquired,
        }
    }

    /// The interleaving, to be read.
    pub(in crate::report) fn lines<'a>(&'a self, race: &'a Race) -> impl Iterator<Item = Line<'a>> {
        self.steps.iter().enumerate().map(move |(index, step)| {
            let access = step.access();
            let stack = access.map_or(&step.stack, |access| &race.accesses[access].stack);
            Line {
                number: index + 1,
                thread: step.thread,
                text: match access {
                    Some(access) => race.accesses[access].describe(),
                    None => did(step),
                },
                access: access.map(|access| access + 1),
                frame: place(stack),
                role: match (Some(index) == self.released, Some(index) == self.acquired) {
                    (true, _) => Some("first own release after (1)"),
                    (_, true) => Some("last own acquire before (2)"),
                    _ => None,
                },
                left_out: step.left_out,
            }
        })
    }

    /// Why nothing orders the accesses, in one sentence.
    pub(in crate::report) fn verdict(&self, finding: &Finding, race: &Race) -> String {
        let [one, two] = [0, 1].map(|access| finding.label(race.accesses[access].thread));
        let step = |index: Option<usize>| index.and_then(|index| self.steps.get(index));
        let (released, acquired) = (step(self.released), step(self.acquired));
        let [number_released, number_acquired] =
            [self.released, self.acquired].map(|index| index.map_or(0, |index| index + 1));
        let no_release = format!("{one} released nothing of its own between (1) and (2)");
        let no_acquire = format!("{two} acquired nothing of its own before (2)");
        let (Some(release), Some(acquire)) = (released, acquired) else {
            return match (released, acquired) {
                (None, None) => format!("{no_release}, and {no_acquire}"),
                (None, _) => format!("{no_release} that {two} could have acquired"),
                _ => no_acquire,
            };
        };
        let same = release.object(race) == acquire.object(race);
        if same && number_acquired < number_released {
            return format!(
                "{two} acquired (step {number_acquired}) before {one} released (step {number_released})"
            );
        }
        if same && acquire.did == StepKind::LockShared {
            return format!(
                "{one} released {} (step {number_released}) and {two} acquired it (step {number_acquired}), both to share it, which orders nothing",
                noun(release, race)
            );
        }
        if same {
            // An atomic is ordered by its bytes: the steps touch, and do not fit.
            return format!(
                "what {one} released (step {number_released}) is not what {two} acquired (step {number_acquired})"
            );
        }
        let released = match release.did {
            StepKind::End => "nothing of its own before its end".to_owned(),
            _ => noun(release, race),
        };
        let acquired = match acquire.did {
            StepKind::Start => "nothing of its own after its start".to_owned(),
            _ => noun(acquire, race),
        };
        format!(
            "{one} released {released} (step {number_released}), {two} acquired {acquired} (step {number_acquired})"
        )
    }
}

/// What a step does, without who does it.
fn did(step: &Step) -> String {
    let at = || address_label(step.address.unwrap_or_default(), step.name.as_deref());
    let other = || {
        step.other
            .map_or_else(String::new, |other| other.to_string())
    };
    match step.did {
        StepKind::FirstAccess | StepKind::SecondAccess => "access".to_owned(),
        StepKind::Start => "starts".to_owned(),
        StepKind::End => "ends".to_owned(),
        StepKind::Create => format!("creates {}", other()),
        StepKind::Join => format!("joins {}", other()),
        StepKind::Lock => format!("locks {}", at()),
        StepKind::LockShared => format!("locks {} (shared)", at()),
        StepKind::Unlock => format!("unlocks {}", at()),
        StepKind::CondvarWait => format!("waits, unlocking {}", at()),
        StepKind::CondvarWake => format!("has waited, locking {}", at()),
        StepKind::Load => format!("atomic load of {}", at()),
        StepKind::Store => format!("atomic store to {}", at()),
        StepKind::Update => format!("atomic update of {}", at()),
        StepKind::Woken => format!("is woken at {}", at()),
        StepKind::Notify => format!("wakes waiters at {}", at()),
        StepKind::Release => format!("releases {}", at()),
        StepKind::Acquire => format!("acquires {}", at()),
    }
}

/// What a step releases or acquires.
fn noun(step: &Step, race: &Race) -> String {
    let thread = step.other.unwrap_or(step.thread);
    match step.object(race) {
        Some(Object::Creation(_)) => format!("the creation of {thread}"),
        Some(Object::Life(_)) => format!("the end of {thread}"),
        Some(Object::Lock(lock)) => format!("lock {}", address_label(lock, step.name.as_deref())),
        Some(Object::Atomic(address)) => format!("the atomic at {}", hex(address)),
        Some(Object::Waiters(address)) => format!("the waiters at {}", hex(address)),
        Some(Object::Other(address)) => address_label(address, step.name.as_deref()),
        None => "an unknown object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::symbols::SymbolSource;

    fn frame(file: &str) -> Frame {
        Frame {
            function: None,
            file: Some(file.into()),
            line: Some(1),
            column: None,
            inlined: false,
            func_index: 0,
            offset: 0,
            source: SymbolSource::Dwarf,
        }
    }

    const LIBRARY: &str = "/rustc/1/library/core/src/sync/atomic.rs";

    fn step(thread: u32, did: StepKind, file: &str) -> Step {
        Step {
            thread: ThreadId(thread),
            did,
            address: Some(8),
            name: None,
            other: None,
            stack: vec![frame(file)],
            left_out: 0,
        }
    }

    /// Threads, deeds, and how many steps are left out before.
    fn selected(history: &History) -> Vec<(u32, StepKind, u64)> {
        (history.steps.iter())
            .map(|step| (step.thread.0, step.did, step.left_out))
            .collect()
    }

    #[test]
    fn what_libraries_do_for_themselves_is_left_out() {
        let steps = vec![
            step(1, StepKind::Start, LIBRARY),
            step(1, StepKind::Load, LIBRARY),
            step(1, StepKind::FirstAccess, "src/main.rs"),
            step(1, StepKind::Update, LIBRARY),
            step(1, StepKind::End, LIBRARY),
            step(2, StepKind::Start, LIBRARY),
            step(2, StepKind::Load, LIBRARY),
            step(2, StepKind::SecondAccess, "src/main.rs"),
        ];
        let history = History::select(steps, Some(3), Some(6));
        assert_eq!(
            selected(&history),
            [
                (1, StepKind::Start, 0),
                (1, StepKind::FirstAccess, 0),
                (1, StepKind::End, 0),
                (2, StepKind::Start, 0),
                (2, StepKind::SecondAccess, 0),
            ]
        );
        assert_eq!((history.released, history.acquired), (Some(2), Some(3)));
    }

    #[test]
    fn without_steps_of_its_own_the_program_released_and_acquired_nothing() {
        let steps = vec![
            step(1, StepKind::FirstAccess, "src/main.rs"),
            step(1, StepKind::Update, LIBRARY),
            step(2, StepKind::Load, LIBRARY),
            step(2, StepKind::SecondAccess, "src/main.rs"),
        ];
        let history = History::select(steps, Some(1), Some(2));
        assert_eq!(history.steps.len(), 2);
        assert_eq!((history.released, history.acquired), (None, None));
    }

    #[test]
    fn an_access_that_releases_or_acquires_is_its_own() {
        let steps = vec![
            step(1, StepKind::FirstAccess, "src/main.rs"),
            step(1, StepKind::Unlock, "src/main.rs"),
            step(2, StepKind::Lock, "src/main.rs"),
            step(2, StepKind::SecondAccess, "src/main.rs"),
        ];
        let history = History::select(steps, Some(0), Some(3));
        assert_eq!((history.released, history.acquired), (Some(0), Some(3)));
    }

    #[test]
    fn steps_beyond_those_shown_are_counted() {
        let mut steps = vec![step(1, StepKind::Lock, "src/main.rs")];
        steps.push(step(1, StepKind::FirstAccess, "src/main.rs"));
        steps.extend((0..5).map(|_| step(1, StepKind::Load, "src/main.rs")));
        let mut unlock = step(1, StepKind::Unlock, "src/main.rs");
        unlock.left_out = 4;
        steps.push(unlock);
        steps.extend((0..5).map(|_| step(2, StepKind::Store, "src/main.rs")));
        steps.push(step(2, StepKind::SecondAccess, "src/main.rs"));
        let history = History::select(steps, Some(7), None);
        let load = (1, StepKind::Load, 0);
        let store = (2, StepKind::Store, 0);
        assert_eq!(
            selected(&history),
            [
                (1, StepKind::Lock, 0),
                (1, StepKind::FirstAccess, 0),
                load,
                load,
                load,
                (1, StepKind::Unlock, 6),
                store,
                store,
                store,
                (2, StepKind::SecondAccess, 0),
            ]
        );
        assert_eq!((history.released, history.acquired), (Some(5), None));
    }
}
