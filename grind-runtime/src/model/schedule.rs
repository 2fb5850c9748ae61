//! Schedules, as data: who ran, and how it was chosen.

use super::sites::SiteId;
use super::{AtomicKind, ThreadId};
use serde::{Deserialize, Serialize};

/// A decision: this thread runs, at most until its plain accesses and calls have filled so many words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slice {
    /// Who.
    pub thread: ThreadId,
    /// How long, in words of records, at least 1: an access takes two, or fewer where several share them (see
    /// [`Records`](crate::model::Records)).
    pub words: u32,
}

/// The strategies a user can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Threads take turns; the seed only feeds the guest's randomness.
    RoundRobin,
    /// Preempts at random points, in favour of a random thread.
    #[default]
    Random,
}

impl Strategy {
    /// All of them, with their names on the command line and what they are in a few words.
    pub const ALL: &[(Strategy, &str, &str)] = &[
        (Strategy::RoundRobin, "round-robin", "Threads take turns"),
        (Strategy::Random, "random", "Random preemption"),
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        let row = Strategy::ALL
            .iter()
            .find(|(strategy, ..)| *strategy == self);
        row.map_or("", |(_, name, _)| name)
    }

    /// The strategy of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Strategy> {
        let row = Strategy::ALL.iter().find(|(_, known, _)| *known == name);
        row.map(|(strategy, ..)| *strategy)
    }
}

/// What a thread does next: its pending operation, as far as it is known before it is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation<'a> {
    /// Plain accesses and calls, from its beginning or from where its slice ended.
    Plain,
    /// An atomic access.
    Atomic {
        /// Where.
        site: SiteId,
        /// Effective address, which may lie beyond memory: then it traps.
        addr: u64,
        /// Bytes: 1, 2, 4 or 8.
        width: u8,
        /// What it does. A compare-exchange, which may turn out to be a load, is a read-modify-write.
        kind: AtomicKind,
    },
    /// `memory.atomic.wait`.
    Wait {
        /// Where.
        site: SiteId,
        /// Effective address.
        addr: u64,
        /// Bytes compared: 4 or 8.
        width: u8,
    },
    /// The end of a wait: it was woken, or its deadline has passed.
    WaitEnd {
        /// Where.
        site: SiteId,
        /// Effective address.
        addr: u64,
    },
    /// `memory.atomic.notify`.
    Notify {
        /// Where.
        site: SiteId,
        /// Effective address.
        addr: u64,
    },
    /// `atomic.fence`.
    Fence {
        /// Where.
        site: SiteId,
    },
    /// `memory.size` or `memory.grow`.
    Memory,
    /// The end of a join: that thread has ended.
    Joined(ThreadId),
    /// A call of an imported function of this name.
    Call(&'a str),
}

impl Operation<'_> {
    /// The bytes that it accesses atomically: the first one, and how many.
    #[must_use]
    pub fn bytes(&self) -> Option<(u64, u8)> {
        match *self {
            Operation::Atomic { addr, width, .. } | Operation::Wait { addr, width, .. } => {
                Some((addr, width))
            }
            _ => None,
        }
    }
}

/// Which thread it is in every schedule of a program: how many threads its creator had created before it, the same of its creator,
/// and so on up to the main thread, whose path is empty; outermost first.
///
/// ```
/// # use grind_runtime::model::SpawnPath;
/// // The second thread that the first thread of main creates.
/// assert_eq!(SpawnPath(vec![0, 1]).to_string(), "main.0.1");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpawnPath(pub Vec<u32>);

impl std::fmt::Display for SpawnPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("main")?;
        self.0.iter().try_for_each(|number| write!(f, ".{number}"))
    }
}
