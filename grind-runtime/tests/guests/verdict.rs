//! Compares a run with what was expected of it.

use crate::expect::{Expectations, Expected};
use grind_runtime::machine::BufferIo;
use grind_runtime::program::symbols::Frame;
use grind_runtime::report::finding::Evidence;
use grind_runtime::report::{Finding, FindingKind, Report, human};
use grind_runtime::session::Outcome;
use std::collections::BTreeSet;
use std::path::Path;

/// Everything that is not as expected, and what is.
pub(crate) fn compare(
    source: &Path,
    expected: &Expectations,
    report: &Report,
    outcome: &Outcome<BufferIo>,
) -> (Vec<String>, BTreeSet<Expected>) {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    let mut traps = BTreeSet::new();
    for finding in &report.findings {
        if let Evidence::Trap(trap) = &finding.evidence {
            let at = line(source, &trap.stack);
            if !expected.traps.contains(&at) {
                problems.push(format!("unexpected trap at line {at}: {}", trap.reason));
            }
            traps.insert(at);
            continue;
        }
        // The name of a guest and its marks say `deadlock`, whatever the threads wait for.
        let kind = match finding.kind {
            FindingKind::LostWakeup => FindingKind::Deadlock,
            kind => kind,
        };
        let stacks: Vec<&[Frame]> = match &finding.evidence {
            Evidence::Blocked(blocked) => blocked.threads.iter().map(|t| &*t.stack).collect(),
            Evidence::LockOrder(order) => order.edges.iter().map(|e| &*e.taken.stack).collect(),
            _ => finding.stacks(),
        };
        let mut lines: Vec<u32> = stacks.iter().map(|stack| line(source, stack)).collect();
        lines.sort_unstable();
        if kind != FindingKind::DataRace {
            lines.dedup();
        }
        let known = (expected.findings.iter())
            .find(|((wanted, _), marked)| *wanted == kind && **marked == lines);
        match known {
            Some((found, _)) => {
                seen.insert(*found);
            }
            None => problems.push(format!("unexpected: {} at lines {lines:?}", finding.title)),
        }
    }
    if !expected.some_seeds {
        let missing = (expected.findings.keys()).filter(|finding| !seen.contains(finding));
        problems
            .extend(missing.map(|(kind, number)| format!("{}({number}) is missing", kind.name())));
    }
    let missing = expected.traps.difference(&traps);
    problems.extend(missing.map(|line| format!("it did not trap at line {line}")));
    let is_trap = |finding: &Finding| finding.kind == FindingKind::Trap;
    let findings = !report.findings.iter().all(is_trap);
    let wanted = expected.exit_code(findings);
    if outcome.exit_code() != wanted {
        problems.push(format!("exit code {}, not {wanted}", outcome.exit_code()));
    }
    if let Some(wanted) = &expected.stdout
        && !findings
    {
        let text = String::from_utf8_lossy(&outcome.io.stdout);
        let lines: Vec<&str> = text.lines().collect();
        if lines != *wanted {
            problems.push(format!("standard output {lines:?}, not {wanted:?}"));
        }
    }
    if !report.findings.is_empty() {
        let text = plain(&human::render(report, &human::Options::default()));
        let missing = expected.says.iter().filter(|says| !text.contains(&***says));
        problems.extend(missing.map(|says| format!("it does not say: {says}")));
    }
    if expected.steps.is_none() {
        problems.extend(report.limits.iter().map(|limit| format!("limit: {limit}")));
    }
    problems.extend(
        report
            .warnings
            .iter()
            .map(|warning| format!("warning: {warning}")),
    );
    (problems, seen)
}

/// A report as one line, with every address as `0x…`.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut parts = words.join(" ");
    let mut out = String::new();
    while let Some(at) = parts.find("0x") {
        let rest = parts.split_off(at + 2);
        out.push_str(&parts);
        out.push('…');
        parts = rest
            .trim_start_matches(|c: char| c.is_ascii_hexdigit())
            .to_owned();
    }
    out + &parts
}

/// Line of the innermost frame that is in the guest's own source; 0 if there is none.
fn line(source: &Path, stack: &[Frame]) -> u32 {
    let name = source.file_name().unwrap_or_default();
    let own = |frame: &&Frame| {
        frame
            .file
            .as_deref()
            .is_some_and(|file| Path::new(file).file_name() == Some(name))
    };
    stack
        .iter()
        .find(own)
        .and_then(|frame| frame.line)
        .unwrap_or(0)
}
