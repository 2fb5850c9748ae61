//! A finding: one defect of the guest, fully symbolised, owned, and the same on every machine.
//!
//! These types are also the machine-readable form (see [`super::json`]): field names and the order of
//! fields are part of its schema.

pub(crate) use super::evidence::MESSAGE_CHARS;
pub use super::evidence::{
    Access, AccessMeans, Blocked, BlockedThread, Creator, Evidence, Freed, HandleMisuse, HeapBlock,
    HeapMisuse, HeldLock, Holder, LockMisuse, LockOrder, LockOrderEdge, Memory, MemoryPlace,
    Missed, Race, Thread, ThreadLeak, Trap, WaitDetails, WaitsFor,
};

use super::fingerprint::Fingerprint;
use super::frames::place;
use super::identity::Identity;
use super::text;
use crate::model::ThreadId;
use crate::program::symbols::Frame;
use serde::{Deserialize, Serialize};

/// What is wrong. The names are stable: configuration, suppressions and exit policies use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingKind {
    /// Two accesses to the same bytes, not ordered, at least one a write and at least one not atomic.
    DataRace,
    /// Threads wait for each other, or for what nobody is left to do.
    Deadlock,
    /// Threads wait for a notification that came before, when nobody waited for it.
    LostWakeup,
    /// A thread trapped: it panicked, or came to an instruction that cannot be carried out.
    Trap,
    /// Threads take locks in an order that can deadlock.
    LockOrderInversion,
    /// An access to a heap block after its end.
    HeapUseAfterFree,
    /// A heap block was freed twice.
    DoubleFree,
    /// A heap block was freed by an address inside it.
    InvalidFree,
    /// Threads were neither joined nor detached.
    ThreadLeak,
    /// A thread released a lock that nobody holds.
    UnlockNotHeld,
    /// A thread released a lock that another one holds.
    UnlockByOtherThread,
    /// A lock was destroyed while somebody held it.
    DestroyHeldLock,
    /// A thread waited on a condition variable without holding its lock.
    CondvarWaitWithoutLock,
    /// A synchronisation object was used after it was destroyed.
    UseAfterDestroy,
    /// A synchronisation object was destroyed twice.
    DoubleDestroy,
    /// A condition variable or a barrier was destroyed while somebody waited there.
    DestroyInUse,
    /// A lock was initialised while somebody held it.
    InitHeldLock,
    /// A thread asked for a lock that it holds and cannot have twice.
    Relock,
    /// A thread ended while it held a lock.
    LockHeldAtThreadEnd,
    /// A thread was joined twice.
    DoubleJoin,
    /// A thread was joined that was detached.
    JoinDetached,
    /// A thread was detached that was joined or detached before.
    DoubleDetach,
}

impl FindingKind {
    /// Every kind, most important first.
    pub const ALL: [FindingKind; 22] = [
        FindingKind::DataRace,
        FindingKind::Deadlock,
        FindingKind::LostWakeup,
        FindingKind::Trap,
        FindingKind::LockOrderInversion,
        FindingKind::HeapUseAfterFree,
        FindingKind::DoubleFree,
        FindingKind::InvalidFree,
        FindingKind::UnlockNotHeld,
        FindingKind::UnlockByOtherThread,
        FindingKind::DestroyHeldLock,
        FindingKind::CondvarWaitWithoutLock,
        FindingKind::UseAfterDestroy,
        FindingKind::DoubleDestroy,
        FindingKind::DestroyInUse,
        FindingKind::InitHeldLock,
        FindingKind::Relock,
        FindingKind::LockHeldAtThreadEnd,
        FindingKind::DoubleJoin,
        FindingKind::JoinDetached,
        FindingKind::DoubleDetach,
        FindingKind::ThreadLeak,
    ];

    /// The stable name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::DataRace => "data-race",
            FindingKind::Deadlock => "deadlock",
            FindingKind::LostWakeup => "lost-wakeup",
            FindingKind::Trap => "trap",
            FindingKind::LockOrderInversion => "lock-order-inversion",
            FindingKind::HeapUseAfterFree => "heap-use-after-free",
            FindingKind::DoubleFree => "double-free",
            FindingKind::InvalidFree => "invalid-free",
            FindingKind::ThreadLeak => "thread-leak",
            FindingKind::UnlockNotHeld => "unlock-not-held",
            FindingKind::UnlockByOtherThread => "unlock-by-other-thread",
            FindingKind::DestroyHeldLock => "destroy-held-lock",
            FindingKind::CondvarWaitWithoutLock => "condvar-wait-without-lock",
            FindingKind::UseAfterDestroy => "use-after-destroy",
            FindingKind::DoubleDestroy => "double-destroy",
            FindingKind::DestroyInUse => "destroy-in-use",
            FindingKind::InitHeldLock => "init-held-lock",
            FindingKind::Relock => "relock",
            FindingKind::LockHeldAtThreadEnd => "lock-held-at-thread-end",
            FindingKind::DoubleJoin => "double-join",
            FindingKind::JoinDetached => "join-detached",
            FindingKind::DoubleDetach => "double-detach",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<FindingKind> {
        FindingKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// For summaries: `2 data races`.
    pub(crate) fn counted(self, n: u64) -> String {
        let (one, many) = match self {
            FindingKind::DataRace => ("data race", "data races"),
            FindingKind::Deadlock => ("deadlock", "deadlocks"),
            FindingKind::LostWakeup => ("lost wake-up", "lost wake-ups"),
            FindingKind::Trap => ("trap", "traps"),
            FindingKind::LockOrderInversion => ("lock-order inversion", "lock-order inversions"),
            FindingKind::HeapUseAfterFree => ("use after free", "uses after free"),
            FindingKind::DoubleFree => ("double free", "double frees"),
            FindingKind::InvalidFree => ("invalid free", "invalid frees"),
            FindingKind::ThreadLeak => ("thread leak", "thread leaks"),
            FindingKind::UnlockNotHeld => {
                ("unlock of a lock not held", "unlocks of locks not held")
            }
            FindingKind::UnlockByOtherThread => {
                ("unlock by another thread", "unlocks by other threads")
            }
            FindingKind::DestroyHeldLock => {
                ("destruction of a held lock", "destructions of held locks")
            }
            FindingKind::CondvarWaitWithoutLock => {
                ("wait without the lock", "waits without the lock")
            }
            FindingKind::UseAfterDestroy => ("use after destruction", "uses after destruction"),
            FindingKind::DoubleDestroy => ("double destruction", "double destructions"),
            FindingKind::DestroyInUse => ("destruction while in use", "destructions while in use"),
            FindingKind::InitHeldLock => (
                "initialisation of a held lock",
                "initialisations of held locks",
            ),
            FindingKind::Relock => ("lock taken twice", "locks taken twice"),
            FindingKind::LockHeldAtThreadEnd => (
                "lock held at the end of a thread",
                "locks held at the end of a thread",
            ),
            FindingKind::DoubleJoin => ("double join", "double joins"),
            FindingKind::JoinDetached => ("join of a detached thread", "joins of detached threads"),
            FindingKind::DoubleDetach => ("double detach", "double detaches"),
        };
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
    /// Which of several seeds showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds: Option<SeedsOf>,
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

/// Which of several seeds showed a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedsOf {
    /// How many did.
    pub shown: u64,
    /// The lowest that did; the evidence is from its run.
    pub first: u64,
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
    /// [`identity`](super::identity).
    #[must_use]
    pub fn is_same_as(&self, other: &Finding) -> bool {
        self.kind == other.kind
            && self.fingerprint == other.fingerprint
            && Identity::of(self).is_same_as(&Identity::of(other))
    }
}
