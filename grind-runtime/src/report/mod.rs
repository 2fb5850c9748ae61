//! What a person reads, and what a machine reads: findings, and one renderer per file.
//!
//! Symbolise with [`Finding::from_diagnosis`], collect in a [`Report`], print with [`human`] or
//! [`json`]. Nothing in here looks at the machine or the detectors: a stored report renders as a fresh one does.

mod build;
pub mod finding;
pub mod fingerprint;
mod frames;
pub mod human;
pub mod json;
pub mod source;
mod text;

pub use finding::{Finding, FindingKind};
pub use fingerprint::Fingerprint;

use crate::program::symbols::{Frame, SymbolSource, Symbolizer};
use crate::trace::ThreadId;
use serde::{Deserialize, Serialize};

/// What one run showed. The fields that no finding fills are for the caller to set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What ran.
    pub program: ProgramInfo,
    /// The seed of the schedule, if it had one.
    pub seed: Option<u64>,
    /// The scheduler's name.
    pub scheduler: Option<String>,
    /// How the guest ended.
    pub exit: Option<GuestExit>,
    /// The command that shows the same again.
    pub reproduce: Option<String>,
    /// In the order they were found.
    pub findings: Vec<Finding>,
    /// Limits that were reached, so that the run does not show everything.
    pub limits: Vec<String>,
    /// What else the reader should know: malformed debug information, a feature that is not checked.
    pub warnings: Vec<String>,
}

/// The program of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramInfo {
    /// Path of the module, as it was given.
    pub module: String,
    /// Arguments of the guest, without its own name.
    pub arguments: Vec<String>,
    /// The best source of symbols that the module has, if it was asked.
    pub symbols: Option<SymbolSource>,
}

/// How a guest ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GuestExit {
    /// The entry function returned or the guest called exit, with this code.
    Exited {
        /// The guest's own exit code.
        code: i32,
    },
    /// A thread trapped.
    Trapped {
        /// Which.
        thread: ThreadId,
        /// Its name, if it has one.
        name: Option<String>,
        /// Why.
        reason: String,
        /// Where, innermost first, as far as it is known.
        stack: Vec<Frame>,
    },
    /// Every thread was blocked forever.
    Deadlocked,
    /// Ended from outside: a limit, a time-out, the first finding.
    Stopped {
        /// Why.
        reason: String,
    },
}

impl Report {
    /// Adds a finding; if the same bug at the same lines is there already, only counts it. Tells whether
    /// it was new.
    pub fn add(&mut self, finding: Finding) -> bool {
        match self.findings.iter_mut().find(|f| f.is_same_as(&finding)) {
            Some(known) => {
                known.count = known.count.saturating_add(finding.count);
                false
            }
            None => {
                self.findings.push(finding);
                true
            }
        }
    }

    /// Whether there is nothing to tell: no finding, an exit of the guest's own, no limit reached.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
            && matches!(self.exit, Some(GuestExit::Exited { .. }))
            && self.limits.is_empty()
            && self.warnings.is_empty()
    }

    /// Notes what the symbolizer has to say: the source it used, and its warnings.
    pub fn set_symbols(&mut self, symbolizer: &Symbolizer) {
        self.program.symbols = Some(symbolizer.best_source());
        for warning in symbolizer.warnings() {
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
    }
}
