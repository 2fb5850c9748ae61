//! What one run showed, or several: findings, and what is to be known beside them.

use crate::model::{ScheduleName, ThreadId};
use crate::program::symbols::{Frame, SymbolSource, Symbolizer};
use crate::report::finding::timeline::Timeline;
use crate::report::finding::{Finding, FindingKind};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What one run showed. The fields that no finding fills are for the caller to set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What it comes from.
    #[serde(default)]
    pub command: Command,
    /// What ran.
    pub program: ProgramInfo,
    /// The schedule, if it is known, and one.
    pub schedule: Option<ScheduleName>,
    /// The schedules, if this is what several runs showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedules: Option<Schedules>,
    /// How the guest ended.
    pub exit: Option<GuestExit>,
    /// The command that shows the same again.
    pub reproduce: Option<String>,
    /// In the order they were found.
    pub findings: Vec<Finding>,
    /// What hid further findings.
    #[serde(default)]
    pub suppressed: Vec<Suppressed>,
    /// What threads did over time, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// Limits that were reached, so that the run does not show everything.
    pub limits: Vec<String>,
    /// What is no defect, and may explain one: threads that ran still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What else the reader should know: malformed debug information, a feature that is not checked.
    pub warnings: Vec<String>,
}

/// What a report comes from. Of one program there may be one from each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Command {
    /// A run, or several.
    #[default]
    Run,
    /// Many runs, under schedules that were chosen by what the ones before them showed.
    Check,
    /// A trace that was run again.
    Replay,
    /// An analysis of a trace.
    Analyze,
}

impl Command {
    /// The name of the subcommand.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Command::Run => "run",
            Command::Check => "check",
            Command::Replay => "replay",
            Command::Analyze => "analyze",
        }
    }
}

/// The runs that a report is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedules {
    /// The first.
    pub first: ScheduleName,
    /// The last.
    pub last: ScheduleName,
    /// How many ran.
    pub run: u64,
    /// How many of them showed a finding.
    pub with_findings: u64,
    /// How many of them their time-out ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timed_out: u64,
    /// The ways in which they ended, as they were first seen; 64 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<HowEnded>,
}

/// A way in which runs ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HowEnded {
    /// The end in words: `exit code 0`, `deadlock`.
    pub how: String,
    /// How many ended so.
    pub count: u64,
    /// The first of them.
    pub first: ScheduleName,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl fmt::Display for Schedules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Schedules {
            first,
            last,
            run,
            with_findings,
            timed_out,
            outcomes: _,
        } = self;
        write!(
            f,
            "{first} to {last}, {with_findings} of {run} with findings"
        )?;
        if *timed_out > 0 {
            write!(f, ", {timed_out} of {run} timed out")?;
        }
        Ok(())
    }
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

impl fmt::Display for GuestExit {
    /// Without which thread it was, and where.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GuestExit::Exited { code } => write!(f, "exit code {code}"),
            GuestExit::Trapped { reason, .. } => write!(f, "trap: {reason}"),
            GuestExit::Deadlocked => f.write_str("deadlock"),
            GuestExit::Stopped { reason } => write!(f, "stopped: {reason}"),
        }
    }
}

impl Report {
    /// The findings, most important first: new before known ones, then by kind, then as they were found.
    #[must_use]
    pub fn by_importance(&self) -> Vec<&Finding> {
        let rank = |finding: &&Finding| {
            let kind = FindingKind::ALL.iter().position(|k| *k == finding.kind);
            (finding.is_known(), kind)
        };
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by_key(rank);
        findings
    }

    /// Whether there is nothing to tell: no finding, hidden or not, an exit of the guest's own, no limit reached.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
            && matches!(self.exit, Some(GuestExit::Exited { .. }))
            && self.limits.is_empty()
            && self.warnings.is_empty()
            && self.notes.is_empty()
            && self.suppressed.iter().all(Suppressed::is_builtin)
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

/// Where suppressions that are built in were written.
pub(crate) const BUILT_IN: &str = "built in";

/// What a suppression hid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    /// The suppression, as a line of a suppression file.
    pub suppression: String,
    /// Where it was written.
    pub origin: String,
    /// Why this may be, where somebody said.
    pub reason: Option<String>,
    /// Findings hidden.
    pub findings: u64,
}

impl Suppressed {
    /// Whether it is none of the user's.
    pub(crate) fn is_builtin(&self) -> bool {
        self.origin == BUILT_IN
    }
}
