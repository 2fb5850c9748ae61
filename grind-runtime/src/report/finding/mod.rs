//! A finding: one defect of the guest, fully symbolised, owned, and the same on every machine.
//!
//! These types are also the machine-readable form (see [`crate::report::render::json`]): field names and the order of
//! fields are part of its schema.

pub(crate) mod blocked;
mod build;
mod evidence;
pub mod fingerprint;
pub(crate) mod frames;
pub mod history;
pub mod identity;
pub(crate) mod notes;
mod parts;
pub mod summary;
pub mod timeline;
mod visit;

pub use fingerprint::Fingerprint;

pub use crate::detect::FindingKind;
pub(crate) use crate::report::finding::evidence::MESSAGE_CHARS;
pub use crate::report::finding::evidence::{
    Access, AccessMeans, Blocked, BlockedThread, Creator, Evidence, Freed, HandleMisuse, HeapBlock,
    HeapMisuse, HeldLock, Holder, LockMisuse, LockOrder, LockOrderEdge, Memory, MemoryPlace,
    Missed, Note, Race, Related, Thread, ThreadLeak, Trap, WaitDetails, WaitsFor,
};

use super::text;
use crate::model::{ScheduleName, ThreadId};
use crate::program::symbols::Frame;
use crate::report::finding::frames::place;
use crate::report::finding::identity::Identity;
use serde::{Deserialize, Serialize};

impl FindingKind {
    /// For summaries: `2 data races`.
    pub(crate) fn counted(self, n: u64) -> String {
        let (one, many) = self.rule().counted;
        text::count(n, one, many)
    }
}

/// One defect of the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// The identity of the defect across runs.
    pub fingerprint: Fingerprint,
    /// One line that says it.
    pub title: String,
    /// How often this run, or these runs, showed it.
    pub count: u64,
    /// Which of several schedules showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedules: Option<ShownBy>,
    /// What a baseline says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<BaselineState>,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// Every thread that the evidence names, by id.
    pub threads: Vec<Thread>,
    /// If it is of an analysis of a trace: what says so, and whether a run showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<Prediction>,
}

/// Where a finding of an analysis of a trace comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prediction {
    /// Names of the analyses that say so; none if only the recorded run did.
    pub analyses: Vec<String>,
    /// How sure it is.
    pub status: PredictionStatus,
    /// The command that runs what shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
}

/// How sure a finding of an analysis of a trace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PredictionStatus {
    /// A rule of thumb: no schedule that shows it is known.
    Hint,
    /// There is a schedule that shows it; it was not run, or the run went another way.
    Predicted,
    /// A run of the program showed it.
    Confirmed,
    /// The recorded run showed it.
    Observed,
}

impl PredictionStatus {
    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PredictionStatus::Hint => "hint",
            PredictionStatus::Predicted => "predicted",
            PredictionStatus::Confirmed => "confirmed",
            PredictionStatus::Observed => "observed",
        }
    }
}

/// Which of several schedules showed a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownBy {
    /// How many did.
    pub shown: u64,
    /// The first that did; the evidence is from its run.
    pub first: ScheduleName,
}

/// What a baseline says of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineState {
    /// It is not in the baseline.
    New,
    /// It is in the baseline.
    Known,
}

impl Finding {
    /// A thread that this finding names.
    #[must_use]
    pub fn thread(&self, id: ThreadId) -> Option<&Thread> {
        self.threads.iter().find(|thread| thread.id == id)
    }

    /// Whether a baseline has it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.baseline == Some(BaselineState::Known)
    }

    /// `T1 `worker``.
    pub(crate) fn label(&self, id: ThreadId) -> String {
        text::thread_label(id, self.thread(id).and_then(|t| t.name.as_deref()))
    }

    /// `global `STATE` (8 bytes) + 4`, `local `sum` (4 bytes), stack of thread T0 main`.
    pub(crate) fn place(&self, memory: &Memory, address: u32) -> String {
        match memory {
            Memory::Global(global) => text::variable("global", global, address),
            Memory::Stack { thread, frame } => {
                let local = frame.as_ref().and_then(|frame| frame.variable.as_ref());
                let local = local.map(|local| text::variable("local", local, address) + ", ");
                let local = local.unwrap_or_default();
                format!("{local}stack of thread {}", self.label(*thread))
            }
        }
    }

    /// The stacks that make up the finding, most important first.
    #[must_use]
    pub fn stacks(&self) -> Vec<&[Frame]> {
        match &self.evidence {
            Evidence::Race(race) => race.accesses.iter().map(|a| &*a.stack).collect(),
            Evidence::Blocked(blocked) => blocked.principals().map(|t| &*t.stack).collect(),
            Evidence::LockOrder(order) => order
                .edges
                .iter()
                .flat_map(|edge| [&*edge.held.stack, &*edge.taken.stack])
                .collect(),
            Evidence::HeapMisuse(misuse) => std::iter::once(&*misuse.access.stack)
                .chain(misuse.heap_block.freed.iter().map(|freed| &*freed.stack))
                .collect(),
            Evidence::Trap(trap) => vec![&trap.stack],
            Evidence::ThreadLeak(leak) => vec![&leak.stack],
            Evidence::LockMisuse(misuse) => vec![&misuse.stack],
            Evidence::HandleMisuse(misuse) => vec![&misuse.stack],
            Evidence::Note(note) => vec![&note.stack],
        }
    }

    /// Where it happened, as a person would say it: file and line of the innermost frame of the user's
    /// own code in each of the [stacks](Finding::stacks).
    #[must_use]
    pub fn places(&self) -> Vec<(Option<&str>, Option<u32>)> {
        self.stacks()
            .into_iter()
            .map(|stack| match place(stack) {
                Some(frame) => (frame.file.as_deref(), frame.line),
                None => (None, None),
            })
            .collect()
    }

    /// Whether `other` is the same defect, so that a report should count instead of repeating it. See
    /// [`identity`].
    #[must_use]
    pub fn is_same_as(&self, other: &Finding) -> bool {
        self.kind == other.kind
            && self.fingerprint == other.fingerprint
            && Identity::of(self).is_same_as(&Identity::of(other))
    }
}
