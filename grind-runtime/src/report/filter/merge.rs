//! What runs under several schedules showed, as one report.

use crate::model::{Schedule, ScheduleName};
use crate::report::finding::fingerprint::Fingerprint;
use crate::report::finding::identity::{Identity, Index};
use crate::report::finding::summary::{GuestExit, HowEnded, Report, Schedules, Suppressed};
use crate::report::finding::{Finding, ShownBy};
use crate::report::text;
use rustc_hash::FxHashSet;

/// Findings kept. The rest is counted.
const MAX_FINDINGS: usize = 1000;
/// Ways to end that are kept.
const MAX_OUTCOMES: usize = 64;
/// Lines of limits, and of warnings, kept.
const MAX_LINES: usize = 100;

/// A report in the making. See [`Merge::add`].
#[derive(Debug, Default)]
pub struct Merge {
    report: Report,
    index: Index,
    /// Of each finding, which report was the last that had it.
    shown_by: Vec<u64>,
    left_out: FxHashSet<Fingerprint>,
}

impl Merge {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Merge {
        Merge::default()
    }

    /// Adds what one schedule showed. The evidence of a finding is that of the first that shows it.
    pub fn add(&mut self, schedule: &Schedule, report: Report) {
        let told = !report.findings.is_empty();
        let into = &mut self.report;
        let name = schedule.name();
        let schedules = into.schedules.get_or_insert_with(|| Schedules {
            first: name.clone(),
            last: name.clone(),
            run: 0,
            with_findings: 0,
            timed_out: 0,
            outcomes: Vec::new(),
        });
        schedules.last = name.clone();
        schedules.run += 1;
        schedules.with_findings += u64::from(told);
        if let Some(exit) = &report.exit {
            ended(&mut schedules.outcomes, exit.to_string(), &name);
        }
        let number = schedules.run;
        if number == 1 {
            into.command = report.command;
            into.program = report.program;
        } else if into.program.symbols.is_none() {
            into.program.symbols = report.program.symbols;
        }
        if into.reproduce.is_none() && told {
            into.reproduce = report.reproduce;
        }
        if severity(&report.exit) > severity(&into.exit) {
            into.exit = report.exit;
        }
        for one in report.suppressed {
            suppressed(&mut into.suppressed, one);
        }
        for (lines, more) in [
            (&mut into.limits, report.limits),
            (&mut into.warnings, report.warnings),
            (&mut into.notes, report.notes),
        ] {
            for line in more {
                if lines.len() < MAX_LINES && !lines.contains(&line) {
                    lines.push(line);
                }
            }
        }
        for finding in report.findings {
            self.finding((number, &name), finding);
        }
    }

    fn finding(&mut self, (number, schedule): (u64, &ScheduleName), mut finding: Finding) {
        let findings = &mut self.report.findings;
        let identity = Identity::of(&finding);
        if let Some(at) = self.index.find(&finding, &identity) {
            let known = &mut findings[at];
            known.count = known.count.saturating_add(finding.count);
            // Two findings of one run can turn out to be one that an earlier run showed.
            let news = std::mem::replace(&mut self.shown_by[at], number) != number;
            if let Some(schedules) = &mut known.schedules {
                schedules.shown += u64::from(news);
            }
        } else if findings.len() < MAX_FINDINGS {
            finding.schedules = Some(ShownBy {
                shown: 1,
                first: schedule.clone(),
            });
            self.index.insert(&finding, identity, findings.len());
            self.shown_by.push(number);
            findings.push(finding);
        } else {
            self.left_out.insert(finding.fingerprint);
        }
    }

    /// What is known so far.
    pub fn report_mut(&mut self) -> &mut Report {
        &mut self.report
    }

    /// The whole.
    #[must_use]
    pub fn finish(mut self) -> Report {
        if !self.left_out.is_empty() {
            let left = self.left_out.len() as u64;
            self.report.limits.push(format!(
                "{MAX_FINDINGS} findings are kept; {} left out",
                text::count(left, "further one was", "further ones were")
            ));
        }
        self.report
    }
}

/// Counts the end of a run.
fn ended(outcomes: &mut Vec<HowEnded>, how: String, schedule: &ScheduleName) {
    if let Some(known) = outcomes.iter_mut().find(|known| known.how == how) {
        known.count += 1;
    } else if outcomes.len() < MAX_OUTCOMES {
        outcomes.push(HowEnded {
            how,
            count: 1,
            first: schedule.clone(),
        });
    }
}

/// Which of two ends is the one to tell of.
fn severity(exit: &Option<GuestExit>) -> u32 {
    match exit {
        None => 0,
        Some(GuestExit::Exited { code: 0 }) => 1,
        Some(GuestExit::Exited { .. }) => 2,
        Some(GuestExit::Deadlocked) => 3,
        Some(GuestExit::Stopped { .. }) => 4,
        Some(GuestExit::Trapped { .. }) => 5,
    }
}

/// The same findings are suppressed again and again: what counts is the most of one run.
fn suppressed(all: &mut Vec<Suppressed>, one: Suppressed) {
    let same = |known: &&mut Suppressed| {
        (&known.suppression, &known.origin) == (&one.suppression, &one.origin)
    };
    match all.iter_mut().find(same) {
        Some(known) => known.findings = known.findings.max(one.findings),
        None => all.push(one),
    }
}
