//! Compares a run with what was expected of it.

use crate::expect::Expectations;
use grind_runtime::host::Outcome;
use grind_runtime::machine::BufferIo;
use grind_runtime::program::symbols::Frame;
use grind_runtime::report::finding::Evidence;
use grind_runtime::report::{GuestExit, Report};
use std::collections::BTreeSet;
use std::path::Path;

/// Everything that is not as expected.
pub(crate) fn compare(
    source: &Path,
    expected: &Expectations,
    report: &Report,
    outcome: &Outcome<BufferIo>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut races = BTreeSet::new();
    let mut deadlocks = BTreeSet::new();
    for finding in &report.findings {
        let known = match &finding.evidence {
            Evidence::Race(race) => {
                let mut lines: Vec<u32> = race
                    .accesses
                    .iter()
                    .map(|access| line(source, &access.stack))
                    .collect();
                lines.sort_unstable();
                let found = expected.races.iter().find(|(_, wanted)| **wanted == lines);
                races.extend(found.map(|(number, _)| *number));
                (found.is_some(), lines)
            }
            Evidence::Blocked(blocked) => {
                let lines: BTreeSet<u32> = blocked
                    .threads
                    .iter()
                    .map(|thread| line(source, &thread.stack))
                    .collect();
                let found = expected
                    .deadlocks
                    .iter()
                    .find(|(_, wanted)| **wanted == lines);
                deadlocks.extend(found.map(|(number, _)| *number));
                (found.is_some(), lines.into_iter().collect())
            }
            _ => (false, Vec::new()),
        };
        if let (false, lines) = known {
            problems.push(format!("unexpected: {} at lines {lines:?}", finding.title));
        }
    }
    if !expected.some_seeds {
        let missing = expected
            .races
            .keys()
            .filter(|number| !races.contains(number));
        problems.extend(missing.map(|number| format!("race({number}) is missing")));
        let missing = expected
            .deadlocks
            .keys()
            .filter(|number| !deadlocks.contains(number));
        problems.extend(missing.map(|number| format!("deadlock({number}) is missing")));
    }
    match &report.exit {
        Some(GuestExit::Trapped { stack, reason, .. }) => {
            let at = line(source, stack);
            if !expected.traps.contains(&at) {
                problems.push(format!("unexpected trap at line {at}: {reason}"));
            }
        }
        _ if !expected.traps.is_empty() => problems.push("it did not trap".to_owned()),
        _ => {}
    }
    let wanted = expected.exit_code(!report.findings.is_empty());
    if outcome.exit_code() != wanted {
        problems.push(format!("exit code {}, not {wanted}", outcome.exit_code()));
    }
    if let Some(wanted) = &expected.stdout
        && report.findings.is_empty()
    {
        let text = String::from_utf8_lossy(&outcome.io.stdout);
        let lines: Vec<&str> = text.lines().collect();
        if lines != *wanted {
            problems.push(format!("standard output {lines:?}, not {wanted:?}"));
        }
    }
    problems.extend(report.limits.iter().map(|limit| format!("limit: {limit}")));
    problems.extend(
        report
            .warnings
            .iter()
            .map(|warning| format!("warning: {warning}")),
    );
    problems
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
