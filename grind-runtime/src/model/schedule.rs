//! Schedules, as data: who ran, and how it was chosen.

use super::ThreadId;
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
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Strategy::RoundRobin => "round-robin",
            Strategy::Random => "random",
        }
    }
}
