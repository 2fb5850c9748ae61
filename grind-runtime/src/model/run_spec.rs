//! What a run is.

use super::{Entry, Limits, Schedule};
use derive_setters::Setters;
use serde::{Deserialize, Serialize};

/// Everything that decides what happens in a run, but the module and what the world answers. The command line fills it, a trace
/// stores it, and the line that reproduces a run says it.
///
/// As of all options, each field has a setter of its name:
///
/// ```
/// use grind_runtime::{Limits, RunSpec};
///
/// let spec = RunSpec::seeded(7)
///     .args(vec![b"app".to_vec(), b"--threads".to_vec()])
///     .limits(Limits::default().threads(8));
/// assert_eq!((spec.args.len(), spec.limits.threads), (2, 8));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[non_exhaustive]
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
