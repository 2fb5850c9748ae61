//! How much of an enormous result a kind of report shows. What is left out is counted there.

use crate::report::finding::Finding;
use crate::report::finding::summary::Report;

/// SARIF: results that GitHub takes from one file.
#[cfg(feature = "reports")]
pub(in crate::report) const SARIF_RESULTS: usize = 5000;
/// SARIF: related locations of a result, of which GitHub shows 100.
#[cfg(feature = "reports")]
pub(in crate::report) const SARIF_LOCATIONS: usize = 100;
/// SARIF, HTML, ThreadSanitizer's shape: frames of a stack.
pub(in crate::report) const FRAMES: usize = 64;
/// GitHub: annotations of one step.
pub(in crate::report) const ANNOTATIONS: usize = 10;
/// Markdown: findings in full.
pub(in crate::report) const MARKDOWN_FINDINGS: usize = 50;
/// Markdown: bytes. A step summary has 1 MiB.
pub(in crate::report) const MARKDOWN_BYTES: usize = 900_000;
/// HTML: findings.
#[cfg(feature = "html")]
pub(in crate::report) const HTML_FINDINGS: usize = 1000;
/// JUnit, ThreadSanitizer's shape: findings.
pub(in crate::report) const TEXT_FINDINGS: usize = 5000;
/// Lines of the table at the end of a human report, and of the one at the beginning of a Markdown one.
pub(in crate::report) const SUMMARY_LINES: usize = 100;

/// The most important findings, and how many were left out.
pub(in crate::report) fn first(report: &Report, limit: usize) -> (Vec<&Finding>, usize) {
    let mut findings = report.by_importance();
    let left_out = findings.len().saturating_sub(limit);
    findings.truncate(limit);
    (findings, left_out)
}
