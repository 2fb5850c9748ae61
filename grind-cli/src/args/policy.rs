//! What makes the command fail: what the subcommands with findings have in common.

use crate::input::stored::read;
use crate::output::say::Shown as _;
use anyhow::{Context, Result};
use clap::Args;
use grind_runtime::report::baseline::Baseline;
use grind_runtime::report::policy::FailOn;
use grind_runtime::report::{FindingKind, Report};
use grind_runtime::session::ExitCode;
use std::path::PathBuf;

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Exit code")]
pub(crate) struct PolicyArgs {
    /// Fail only on these findings: kinds, or all, none, race, deadlock, trap, lock-order, misuse, leak
    #[arg(long, value_name = "KIND,…", default_value = "all")]
    fail_on: FailOn,
    /// Do not fail on findings that this file has; `grind baseline update` writes it
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
}

/// What makes the command fail.
pub(crate) struct Policy<'a> {
    fail_on: &'a FailOn,
    baseline: Option<Baseline>,
}

impl PolicyArgs {
    /// # Errors
    /// If the baseline cannot be read.
    pub(crate) fn load(&self) -> Result<Policy<'_>> {
        let baseline = match &self.baseline {
            Some(path) => {
                let text = read(path).context("cannot read the baseline")?;
                Some(Baseline::from_text(&text).with_context(|| path.shown())?)
            }
            None => None,
        };
        Ok(Policy {
            fail_on: &self.fail_on,
            baseline,
        })
    }
}

impl Policy<'_> {
    /// Notes which findings are known, and says whether the others make the command fail.
    pub(crate) fn fails(&self, report: &mut Report) -> bool {
        if let Some(baseline) = &self.baseline {
            baseline.apply(report);
        }
        self.fail_on.any(&report.findings)
    }

    /// The exit code, if the guest's own is `own`: a trap that fails has its own code, unless something else fails too.
    pub(crate) fn exit_code(&self, report: &mut Report, own: u8) -> u8 {
        self.fails(report);
        let failing = || (report.findings.iter()).filter(|finding| self.fail_on.fails(finding));
        if failing().any(|finding| finding.kind != FindingKind::Trap) {
            ExitCode::Findings.code()
        } else if failing().next().is_some() {
            ExitCode::Trap.code()
        } else {
            own
        }
    }
}
