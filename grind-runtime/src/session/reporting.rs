//! What came of a run as a report, in steps: a finding at a time, for the debug information of all that it names is read then.

use super::{NAMELESS, Outcome, RunOptions};
use crate::program::Program;
use crate::program::symbols::Symbolizer;
use crate::report::finding::identity::Index;
use crate::report::finding::summary::Report;
use crate::report::finding::{Finding, FindingKind, notes};

/// A report that is being made, of a run that has come to its end. What is asked for the next step is what the first was given.
#[derive(Debug, Default)]
pub struct Reporting {
    report: Report,
    index: Index,
    /// What was looked at of the outcome.
    next: Next,
}

#[derive(Clone, Copy, Debug, Default)]
enum Next {
    /// Nothing.
    #[default]
    Exit,
    /// How the guest ended.
    Symbols,
    /// That, and so many findings.
    Finding(usize),
    End,
}

impl Reporting {
    /// Makes a step. Returns whether there is more.
    pub fn step<Io>(
        &mut self,
        outcome: &Outcome<Io>,
        program: &Program,
        symbolizer: &Symbolizer,
        options: &RunOptions,
    ) -> bool {
        let sites = program.sites();
        let analysis = &outcome.analysis;
        let report = &mut self.report;
        self.next = match self.next {
            Next::Exit => {
                report.schedule = Some(options.spec.schedule.name());
                report.exit = Some(outcome.guest_exit(sites, symbolizer));
                report.warnings.clone_from(&outcome.warnings);
                Next::Symbols
            }
            Next::Symbols => {
                if !analysis.diagnoses.is_empty() {
                    symbolizer.prepare();
                }
                Next::Finding(0)
            }
            Next::Finding(at) => match analysis.diagnoses.get(at) {
                Some(diagnosed) => {
                    let finding =
                        Finding::from_diagnosis(diagnosed, sites, symbolizer, &analysis.threads);
                    self.index.add(&mut report.findings, finding);
                    Next::Finding(at + 1)
                }
                None => {
                    self.end(outcome, program, symbolizer, options);
                    Next::End
                }
            },
            Next::End => Next::End,
        };
        !matches!(self.next, Next::End)
    }

    fn end<Io>(
        &mut self,
        outcome: &Outcome<Io>,
        program: &Program,
        symbolizer: &Symbolizer,
        options: &RunOptions,
    ) {
        let (report, analysis) = (&mut self.report, &outcome.analysis);
        let running = notes::still_running(analysis, program.sites(), symbolizer);
        report.notes.extend(running);
        let limits = &options.spec.limits;
        let reached = outcome
            .limits_reached
            .iter()
            .map(|limit| limit.text(limits));
        report.limits.extend(reached);
        report
            .limits
            .extend(analysis.limits.iter().map(ToString::to_string));
        if !report.findings.is_empty() {
            report.set_symbols(symbolizer);
            let overflows = analysis.overflows.iter().map(ToString::to_string);
            report.warnings.extend(overflows);
            let of_accesses = |finding: &Finding| finding.kind != FindingKind::Trap;
            if program.info().function_names.is_empty()
                && program.interceptors().is_empty()
                && report.findings.iter().any(of_accesses)
            {
                report.warnings.push(NAMELESS.to_owned());
            }
        }
    }

    /// The report, when there is no more.
    #[must_use]
    pub fn finish(self) -> Report {
        self.report
    }
}
