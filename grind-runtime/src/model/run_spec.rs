//! What a run is.

use super::{Entry, Limits, Schedule};
use serde::{Deserialize, Serialize};

/// Everything that decides what happens in a run, but the module and what the world answers. The command line fills it, a trace
/// stores it, and the line that reproduces a run says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSpec {
    /// Arguments, the program's name first.
    pub args: Vec<Vec<u8>>,
    /// Environment, each `NAME=value`.
    pub env: Vec<Vec<u8>>,
    /// What the guest calls the directories it is given, in their order. What they are of the host is no part of a run: what is in
    /// them comes as answers.
    pub preopens: Vec<Vec<u8>>,
    /// Who runs when.
    pub schedule: Schedule,
    /// What the main thread runs.
    pub entry: Entry,
    /// Bytes of memory at the beginning, if that is more than the module says; in whole pages.
    pub initial_memory: Option<u64>,
    /// Bounds of the run.
    pub limits: Limits,
}

impl RunSpec {
    /// A run under the usual strategy with this seed, and nothing else said.
    #[must_use]
    pub fn seeded(seed: u64) -> RunSpec {
        RunSpec {
            schedule: Schedule::from(seed),
            ..RunSpec::default()
        }
    }
}
