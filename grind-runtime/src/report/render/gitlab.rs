//! Code Quality of GitLab: an array of issues, which a merge request shows beside the lines they are at.
//!
//! GitLab tells new ones from old ones by comparing with the target branch, so that what a baseline knows is in it as well. An issue needs a path
//! and a line: a finding without a source is at the first line of the module.

use crate::detect::common::kind::Severity;
use crate::report::finding::Finding;
use crate::report::finding::frames::place;
use crate::report::finding::summary::Report;
use crate::report::render::limits::{TEXT_FINDINGS, first};
use crate::report::render::options::Options;
use crate::report::render::sections::{Role, sections};
use crate::report::text::{clean, count};
use serde::Serialize;

/// The fields that GitLab requires.
#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// The report as issues, most important first. The last one says how many were left out.
pub(in crate::report) fn render(report: &Report, options: &Options) -> String {
    let (findings, left_out) = first(report, TEXT_FINDINGS);
    let mut issues: Vec<Issue> = (findings.into_iter())
        .map(|finding| issue(finding, report, options))
        .collect();
    if left_out > 0 {
        let more = count(left_out as u64, "more finding is", "more findings are");
        issues.push(Issue {
            description: format!("{more} not in this report"),
            check_name: "grind",
            fingerprint: "left-out".to_owned(),
            severity: "info",
            location: of_module(report),
        });
    }
    let text = serde_json::to_string_pretty(&issues).expect("it is written to memory");
    text + "\n"
}

fn issue(finding: &Finding, report: &Report, options: &Options) -> Issue {
    let frame = (sections(finding).into_iter())
        .filter(|section| section.role == Role::Principal)
        .find_map(|section| place(section.stack));
    let source = frame.and_then(|frame| Some((frame.file.as_ref()?, frame.line?)));
    Issue {
        description: clean(&finding.title),
        check_name: finding.kind.name(),
        fingerprint: finding.fingerprint.to_string(),
        severity: match finding.kind.rule().severity {
            Severity::Error => "critical",
            Severity::Warning => "minor",
        },
        location: match source {
            Some((file, begin)) => Location {
                path: clean(&options.sources.display(file)),
                lines: Lines { begin },
            },
            None => of_module(report),
        },
    }
}

fn of_module(report: &Report) -> Location {
    Location {
        path: clean(&report.program.module),
        lines: Lines { begin: 1 },
    }
}
