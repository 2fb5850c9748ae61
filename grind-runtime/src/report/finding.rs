//! A finding: one defect of the guest, fully symbolised, owned, and the same on every machine.
//!
//! These types are also the machine-readable form (see [`super::json`]): field names and the order of
//! fields are part of its schema.

use super::fingerprint::Fingerprint;
use super::frames::place;
use super::text;
use crate::program::symbols::Frame;
use crate::trace::ThreadId;
use serde::{Deserialize, Serialize};

/// What is wrong. The names are stable: configuration, suppressions and exit policies use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingKind {
    /// Two accesses to the same bytes, not ordered, at least one a write and at least one not atomic.
    DataRace,
    /// Threads wait for each other, or for a lock whose holder has ended.
    Deadlock,
    /// Threads wait for a notification and nobody is left to give it.
    LostWakeup,
    /// A thread released a lock it does not hold.
    UnlockNotHeld,
}

impl FindingKind {
    /// Every kind, most important first.
    pub const ALL: [FindingKind; 4] = [
        FindingKind::DataRace,
        FindingKind::Deadlock,
        FindingKind::LostWakeup,
        FindingKind::UnlockNotHeld,
    ];

    /// The stable name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::DataRace => "data-race",
            FindingKind::Deadlock => "deadlock",
            FindingKind::LostWakeup => "lost-wakeup",
            FindingKind::UnlockNotHeld => "unlock-not-held",
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
            FindingKind::UnlockNotHeld => {
                ("unlock of a lock not held", "unlocks of locks not held")
            }
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
    /// How often this run showed it.
    pub count: u64,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// Every thread that the evidence names, by id.
    pub threads: Vec<Thread>,
}

/// What shows a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Evidence {
    /// Of [`FindingKind::DataRace`].
    Race(Race),
    /// Of [`FindingKind::Deadlock`] and [`FindingKind::LostWakeup`].
    Blocked(Blocked),
    /// Of [`FindingKind::UnlockNotHeld`].
    Unlock(Unlock),
}

/// The two accesses of a race.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    /// First byte that both access.
    pub address: u32,
    /// Number of bytes that both access.
    pub size: u32,
    /// The earlier and the later one in this execution.
    pub accesses: [Access; 2],
    /// The heap block they fall into, if known.
    pub heap_block: Option<HeapBlock>,
}

/// By what means memory was accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AccessMeans {
    /// Load or store.
    Plain,
    /// Atomic instruction.
    Atomic,
    /// `memory.copy`, `memory.fill` or `memory.init`.
    Bulk,
    /// A host function that the thread called.
    Host,
    /// The end of a heap block's life.
    Free,
}

/// One access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Who.
    pub thread: ThreadId,
    /// Whether it wrote.
    pub write: bool,
    /// By what means.
    pub means: AccessMeans,
    /// First byte accessed.
    pub address: u32,
    /// Number of bytes accessed.
    pub size: u32,
    /// Where, innermost first; empty if it could not be had.
    pub stack: Vec<Frame>,
    /// Locks the thread held then.
    pub locks: Vec<HeldLock>,
}

impl Access {
    /// `atomic write of 4 bytes`.
    #[must_use]
    pub fn describe(&self) -> String {
        let what = if self.write { "write" } else { "read" };
        let size = text::count(self.size.into(), "byte", "bytes");
        match self.means {
            AccessMeans::Plain => format!("{what} of {size}"),
            AccessMeans::Atomic => format!("atomic {what} of {size}"),
            AccessMeans::Bulk => format!("bulk {what} of {size}"),
            AccessMeans::Host => format!("{what} of {size} by a host function"),
            AccessMeans::Free => format!("free of {size}"),
        }
    }
}

/// A lock that a thread holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLock {
    /// Address of the lock.
    pub address: u32,
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// Whether others may hold it at the same time.
    pub shared: bool,
    /// Where it was taken, innermost first.
    pub stack: Vec<Frame>,
}

/// A heap block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeapBlock {
    /// First byte.
    pub address: u32,
    /// Number of bytes.
    pub size: u32,
    /// Who allocated it.
    pub thread: ThreadId,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
}

/// A thread that a finding names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Its number; 0 is the main thread.
    pub id: ThreadId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Who created it; none for the main thread.
    pub creator: Option<Creator>,
}

/// The creation of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creator {
    /// Who created it.
    pub thread: ThreadId,
    /// The creator's name, if it has one.
    pub name: Option<String>,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
}

/// Threads that will never go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// Threads that wait for each other, each for the next and the last for the first. Empty if there is
    /// no such circle.
    pub cycle: Vec<ThreadId>,
    /// All blocked threads, by id.
    pub threads: Vec<BlockedThread>,
}

impl Blocked {
    /// The threads that are to blame: those of the circle; without one, those that wait for anything but
    /// the end of another blocked thread. All of them if that leaves none.
    pub fn principals(&self) -> impl Iterator<Item = &BlockedThread> {
        let is_principal = |thread: &BlockedThread| {
            if self.cycle.is_empty() {
                !matches!(thread.waits_for, WaitsFor::Join { .. })
            } else {
                self.cycle.contains(&thread.thread)
            }
        };
        let none = !self.threads.iter().any(is_principal);
        self.threads
            .iter()
            .filter(move |thread| none || is_principal(thread))
    }

    /// Whether this thread is among the blocked ones.
    #[must_use]
    pub fn contains(&self, thread: ThreadId) -> bool {
        self.threads.iter().any(|blocked| blocked.thread == thread)
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedThread {
    /// Which.
    pub thread: ThreadId,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
    /// What it holds meanwhile.
    pub locks: Vec<HeldLock>,
}

/// What a blocked thread waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WaitsFor {
    /// A lock.
    Lock {
        /// Its address.
        address: u32,
        /// Its name, if it has one.
        name: Option<String>,
        /// Who holds it.
        holders: Vec<ThreadId>,
    },
    /// A notification of a condition variable.
    Condvar {
        /// Its address.
        address: u32,
    },
    /// A `memory.atomic.notify` on an address; no hook said what it stands for.
    Futex {
        /// The address.
        address: u32,
    },
    /// The end of a thread.
    Join {
        /// That thread.
        thread: ThreadId,
    },
}

/// The release of a lock that the thread does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlock {
    /// Address of the lock.
    pub address: u32,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Who released it.
    pub thread: ThreadId,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
    /// Who holds it.
    pub holders: Vec<Holder>,
}

/// A thread that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Which.
    pub thread: ThreadId,
    /// Where it took the lock, innermost first.
    pub stack: Vec<Frame>,
}

impl Finding {
    /// A thread that this finding names.
    #[must_use]
    pub fn thread(&self, id: ThreadId) -> Option<&Thread> {
        self.threads.iter().find(|thread| thread.id == id)
    }

    /// `T1 `worker``.
    pub(crate) fn label(&self, id: ThreadId) -> String {
        text::thread_label(id, self.thread(id).and_then(|t| t.name.as_deref()))
    }

    /// The stacks that make up the finding, most important first.
    #[must_use]
    pub fn stacks(&self) -> Vec<&[Frame]> {
        match &self.evidence {
            Evidence::Race(race) => race.accesses.iter().map(|a| &*a.stack).collect(),
            Evidence::Blocked(blocked) => blocked.principals().map(|t| &*t.stack).collect(),
            Evidence::Unlock(unlock) => vec![&unlock.stack],
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

    /// Whether `other` is the same bug at the same lines, so that a report should count instead of
    /// repeating it.
    #[must_use]
    pub fn is_same_as(&self, other: &Finding) -> bool {
        let sorted = |finding: &Finding| {
            let mut places: Vec<_> = finding
                .places()
                .into_iter()
                .map(|(file, line)| (file.map(str::to_owned), line))
                .collect();
            places.sort();
            places.dedup();
            places
        };
        self.fingerprint == other.fingerprint
            && self.kind == other.kind
            && sorted(self) == sorted(other)
    }
}
