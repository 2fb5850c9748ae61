//! What led to a race, step by step, and why the two accesses are not ordered.

use super::finding::{Finding, Race};
use super::frames::place;
use super::text::{address_label, hex};
use crate::analysis::Deed;
use crate::program::symbols::Frame;
use crate::trace::ThreadId;
use serde::{Deserialize, Serialize};

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
    pub did: Deed,
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
    Fence,
    Other(u32),
}

impl Step {
    /// The access that it is, if it is one.
    fn access(&self) -> Option<usize> {
        match self.did {
            Deed::FirstAccess => Some(0),
            Deed::SecondAccess => Some(1),
            _ => None,
        }
    }

    fn object(&self, race: &Race) -> Option<Object> {
        let other = self.other.unwrap_or(self.thread);
        let of = |object: fn(u32) -> Object| self.address.map(object);
        match self.did {
            Deed::Start | Deed::Create => Some(Object::Creation(other)),
            Deed::End | Deed::Join => Some(Object::Life(other)),
            Deed::Lock
            | Deed::LockShared
            | Deed::Unlock
            | Deed::CondvarWait
            | Deed::CondvarWake => of(Object::Lock),
            Deed::Load | Deed::Store | Deed::Update => of(Object::Atomic),
            Deed::Woken | Deed::Notify => of(Object::Waiters),
            Deed::Fence => Some(Object::Fence),
            Deed::Release | Deed::Acquire => of(Object::Other),
            Deed::FirstAccess => Some(Object::Atomic(race.accesses[0].address)),
            Deed::SecondAccess => Some(Object::Atomic(race.accesses[1].address)),
        }
    }
}

/// A line of the interleaving.
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) thread: ThreadId,
    /// `locks 0x… `queue``
    pub(super) text: String,
    /// Which access it is, from 1.
    pub(super) access: Option<usize>,
    /// Where, if that is known.
    pub(super) frame: Option<&'a Frame>,
    /// What it is to the order that there should be.
    pub(super) role: Option<&'static str>,
    /// So many steps of this thread before it are left out.
    pub(super) left_out: u64,
}

impl History {
    /// The interleaving, to be read.
    pub(super) fn lines<'a>(&'a self, race: &'a Race) -> impl Iterator<Item = Line<'a>> {
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
                    (true, _) => Some("first release after (1)"),
                    (_, true) => Some("last acquire before (2)"),
                    _ => None,
                },
                left_out: step.left_out,
            }
        })
    }

    /// Why nothing orders the accesses, in one sentence.
    pub(super) fn verdict(&self, finding: &Finding, race: &Race) -> String {
        let [one, two] = [0, 1].map(|access| finding.label(race.accesses[access].thread));
        let step = |index: Option<usize>| index.and_then(|index| self.steps.get(index));
        let (released, acquired) = (step(self.released), step(self.acquired));
        let [number_released, number_acquired] =
            [self.released, self.acquired].map(|index| index.map_or(0, |index| index + 1));
        let no_release = format!("{one} released nothing between (1) and (2)");
        let no_acquire = format!("{two} acquired nothing before (2)");
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
        if same {
            // An atomic is ordered by its bytes, a shared lock by its modes: the steps touch, and do not fit.
            return format!(
                "what {one} released (step {number_released}) is not what {two} acquired (step {number_acquired})"
            );
        }
        format!(
            "{one} released {} (step {number_released}), {two} acquired {} (step {number_acquired})",
            noun(release, race),
            noun(acquire, race)
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
        Deed::FirstAccess | Deed::SecondAccess => "access".to_owned(),
        Deed::Start => "starts".to_owned(),
        Deed::End => "ends".to_owned(),
        Deed::Create => format!("creates {}", other()),
        Deed::Join => format!("joins {}", other()),
        Deed::Lock => format!("locks {}", at()),
        Deed::LockShared => format!("locks {} (shared)", at()),
        Deed::Unlock => format!("unlocks {}", at()),
        Deed::CondvarWait => format!("waits, unlocking {}", at()),
        Deed::CondvarWake => format!("has waited, locking {}", at()),
        Deed::Load => format!("atomic load of {}", at()),
        Deed::Store => format!("atomic store to {}", at()),
        Deed::Update => format!("atomic update of {}", at()),
        Deed::Fence => "atomic fence".to_owned(),
        Deed::Woken => format!("is woken at {}", at()),
        Deed::Notify => format!("wakes waiters at {}", at()),
        Deed::Release => format!("releases {}", at()),
        Deed::Acquire => format!("acquires {}", at()),
    }
}

/// What a step releases or acquires.
fn noun(step: &Step, race: &Race) -> String {
    let thread = step.other.unwrap_or(step.thread);
    match step.object(race) {
        Some(Object::Creation(_)) if step.did == Deed::Start => "its creation".to_owned(),
        Some(Object::Creation(_)) => format!("the creation of {thread}"),
        Some(Object::Life(_)) if step.did == Deed::End => "its end".to_owned(),
        Some(Object::Life(_)) => format!("the end of {thread}"),
        Some(Object::Lock(lock)) => format!("lock {}", address_label(lock, step.name.as_deref())),
        Some(Object::Atomic(address)) => format!("the atomic at {}", hex(address)),
        Some(Object::Waiters(address)) => format!("the waiters at {}", hex(address)),
        Some(Object::Other(address)) => address_label(address, step.name.as_deref()),
        Some(Object::Fence) | None => "a fence".to_owned(),
    }
}
