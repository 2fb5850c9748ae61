//! What a run may use, and what happens when it wants more.

use derive_setters::Setters;
use serde::{Deserialize, Serialize};

/// Bounds of a run. At each of them the guest gets the error that the platform defines for it, or the run
/// ends; either way a [`LimitReached`] says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Setters)]
#[non_exhaustive]
pub struct Limits {
    /// Threads alive at once, the main thread included. One more is refused with an error code.
    pub threads: u32,
    /// Bytes of guest memory. `memory.grow` beyond returns -1.
    pub memory: u64,
    /// Wasm instructions, about; at it the run ends. `None` is unlimited.
    pub steps: Option<u64>,
}

/// Threads created over a whole run, alive or not. Each costs a small record and its name.
pub(crate) const TOTAL_THREADS: u32 = 1 << 20;

/// Elements of one table, as in browsers. `table.grow` beyond returns -1, and a module that begins with more is
/// refused.
pub(crate) const TABLE_ELEMENTS: u64 = 10_000_000;

/// Bytes, about, of the instances of all threads: their tables, functions, globals and element segments. Beyond,
/// `table.grow` returns -1, a thread is not created, and a module whose first instance takes more is refused.
pub(crate) const INSTANCE_BYTES: u64 = 1 << 30;

impl Default for Limits {
    fn default() -> Self {
        Limits {
            threads: 1000,
            memory: 1 << 30,
            steps: None,
        }
    }
}

/// A bound that the guest ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitReached {
    /// [`Limits::threads`].
    Threads,
    /// [`Limits::memory`].
    Memory,
    /// [`Limits::steps`].
    Steps,
    /// Ten million elements of a table.
    Tables,
    /// A gibibyte of instances and their tables.
    Instances,
}

impl LimitReached {
    /// A sentence for a report on a run with these limits.
    #[must_use]
    pub fn text(self, limits: &Limits) -> String {
        match self {
            LimitReached::Threads => format!(
                "the guest wanted more than {} threads at once and was refused",
                limits.threads
            ),
            LimitReached::Memory => format!(
                "the guest wanted more than {} MiB of memory and was refused",
                limits.memory >> 20
            ),
            LimitReached::Steps => "the limit on steps was reached".to_owned(),
            LimitReached::Tables => format!(
                "the guest wanted a table of more than {TABLE_ELEMENTS} elements and was refused"
            ),
            LimitReached::Instances => format!(
                "the guest wanted more than {} MiB for the instances and tables of all threads and was refused",
                INSTANCE_BYTES >> 20
            ),
        }
    }
}
