//! Schedules, as data: who ran, and how it was chosen.

use super::sites::SiteId;
use super::{AtomicKind, Decisions, ThreadId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A decision: this thread runs, at most until its plain accesses and calls have filled so many words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slice {
    /// Who.
    pub thread: ThreadId,
    /// How long, in words of records, at least 1: an access takes two, or fewer where several share them (see
    /// [`Records`](crate::model::Records)).
    pub words: u32,
}

/// How it is decided who runs. It names a run: the same schedule of a program with the same inputs is the same run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Schedule {
    /// A strategy chooses.
    Strategy {
        /// Which.
        strategy: Strategy,
        /// Of its choices, and of the guest's randomness.
        seed: u64,
    },
    /// As it was decided before. Behind the last decision the thread that runs goes on, and where it cannot, the first that can.
    Decisions(Arc<Decisions>),
}

impl Schedule {
    /// The seed, if there is one.
    #[must_use]
    pub fn seed(&self) -> Option<u64> {
        match self {
            Schedule::Strategy { seed, .. } => Some(*seed),
            Schedule::Decisions(_) => None,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> ScheduleName {
        match self {
            Schedule::Strategy { strategy, seed } => ScheduleName::Strategy {
                strategy: strategy.to_string(),
                seed: *seed,
            },
            Schedule::Decisions(decisions) => ScheduleName::Decisions {
                decisions: decisions.digest(),
            },
        }
    }
}

impl From<u64> for Schedule {
    /// The usual strategy with this seed.
    fn from(seed: u64) -> Schedule {
        let strategy = Strategy::default();
        Schedule::Strategy { strategy, seed }
    }
}

impl Default for Schedule {
    fn default() -> Schedule {
        Schedule::from(0)
    }
}

/// What a schedule is called where it is not given as a whole: in reports, and in lists of what several showed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScheduleName {
    /// A strategy chose.
    Strategy {
        /// Its name, with its parameters.
        strategy: String,
        /// Of its choices.
        seed: u64,
    },
    /// It was given as decisions.
    Decisions {
        /// Tells them from others: [`Decisions::digest`].
        decisions: String,
    },
}

impl fmt::Display for ScheduleName {
    /// `seed 7`, which is the usual strategy's, `round-robin seed 7`, `schedule 0123456789abcdef`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScheduleName::Strategy { strategy, seed } if strategy == USUAL => {
                write!(f, "seed {seed}")
            }
            ScheduleName::Strategy { strategy, seed } => {
                // What it was chosen by is of use to the command that repeats it only.
                let shown = match strategy.split_once(':') {
                    Some((name, _)) if strategy.len() > MOST_SHOWN => &format!("{name}:…"),
                    _ => strategy,
                };
                write!(f, "{shown} seed {seed}")
            }
            ScheduleName::Decisions { decisions } => write!(f, "schedule {decisions}"),
        }
    }
}

/// Bytes of a strategy with its parameters that are shown.
const MOST_SHOWN: usize = 24;

/// The strategy that is meant where none is named.
const USUAL: &str = "random";

/// Names a strategy, and gives its parameters: `random`, `pct:3`. It is written by [`FromStr`](std::str::FromStr), which knows the strategies
/// that there are; one that comes from a file need not be among them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Strategy {
    pub(crate) name: Cow<'static, str>,
    /// All that it has, also those that nobody gave.
    pub(crate) parameters: Vec<u32>,
}

impl Default for Strategy {
    fn default() -> Strategy {
        Strategy {
            name: USUAL.into(),
            parameters: Vec::new(),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (nth, parameter) in self.parameters.iter().enumerate() {
            let before = if nth == 0 { ':' } else { ',' };
            write!(f, "{before}{parameter}")?;
        }
        Ok(())
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

impl fmt::Display for SpawnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("main")?;
        self.0.iter().try_for_each(|number| write!(f, ".{number}"))
    }
}
