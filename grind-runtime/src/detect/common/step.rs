//! What a thread did to be ordered with others, as a report numbers it.

use crate::detect::common::diagnosis::Stack;
use crate::model::ThreadId;
use serde::{Deserialize, Serialize};

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StepKind {
    /// The earlier access of the race.
    FirstAccess,
    /// The later one.
    SecondAccess,
    /// The thread begins.
    Start,
    /// The thread ends.
    End,
    /// It creates a thread.
    Create,
    /// It learns that a thread has ended.
    Join,
    /// It takes a lock.
    Lock,
    /// It takes a lock together with others.
    LockShared,
    /// It releases a lock.
    Unlock,
    /// It releases a lock to wait on a condition variable.
    CondvarWait,
    /// It has that lock again.
    CondvarWake,
    /// Atomic load, or a compare-exchange that failed.
    Load,
    /// Atomic store.
    Store,
    /// Atomic read-modify-write.
    Update,
    /// A notification woke it.
    Woken,
    /// It woke others.
    Notify,
    /// It released an object that stands for an order: an annotation, a barrier, a once.
    Release,
    /// It acquired such an object.
    Acquire,
}

impl StepKind {
    /// Whether the address is that of a lock.
    #[must_use]
    pub fn is_of_lock(self) -> bool {
        matches!(
            self,
            StepKind::Lock
                | StepKind::LockShared
                | StepKind::Unlock
                | StepKind::CondvarWait
                | StepKind::CondvarWake
        )
    }

    /// What came before it can happen before what another thread does.
    #[must_use]
    pub fn releases(self) -> bool {
        matches!(
            self,
            StepKind::End
                | StepKind::Create
                | StepKind::Unlock
                | StepKind::CondvarWait
                | StepKind::Store
                | StepKind::Update
                | StepKind::Notify
                | StepKind::Release
        )
    }

    /// What another thread did can happen before what comes after it.
    #[must_use]
    pub fn acquires(self) -> bool {
        matches!(
            self,
            StepKind::Start
                | StepKind::Join
                | StepKind::Lock
                | StepKind::LockShared
                | StepKind::CondvarWake
                | StepKind::Load
                | StepKind::Update
                | StepKind::Woken
                | StepKind::Acquire
        )
    }
}

/// One of the steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HistoryStep {
    /// Who.
    pub thread: ThreadId,
    /// What.
    pub did: StepKind,
    /// The lock, the atomic, or what else it was done to.
    pub address: Option<u32>,
    /// The name of the lock, if it has one.
    pub name: Option<String>,
    /// The thread that was created or joined.
    pub other: Option<ThreadId>,
    /// Where; that of an access is with the access.
    pub stack: Stack,
    /// So many steps of this thread, since its step before, are left out.
    pub left_out: u64,
}

/// What led to a race.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct History {
    /// In order; both accesses are among them.
    pub steps: Vec<HistoryStep>,
    /// Which of them is what the earlier thread released first after its access, or with it.
    pub released: Option<usize>,
    /// Which of them is what the later thread acquired last before its access, or with it.
    pub acquired: Option<usize>,
}

impl HistoryStep {
    pub(in crate::detect) fn new(thread: ThreadId, did: StepKind) -> Self {
        HistoryStep {
            thread,
            did,
            address: None,
            name: None,
            other: None,
            stack: Stack::new(),
            left_out: 0,
        }
    }
}
