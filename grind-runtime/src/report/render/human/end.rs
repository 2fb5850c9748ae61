//! What follows the findings.

use crate::report::finding::frames::place;
use crate::report::finding::summary::{Command, GuestExit, HowEnded, Report};
use crate::report::finding::{Finding, FindingKind};
use crate::report::render::human::page::{Ink, Page, Span, width};
use crate::report::render::human::{Options, stack};
use crate::report::render::limits::{SUMMARY_LINES, first};
use crate::report::text;
use crate::report::text::{clean, shorten};
use std::cmp::Reverse;

/// Missing sources named, unless verbose.
const MAX_MISSING: usize = 4;

/// What follows the findings: limits, warnings, the summary and how to reproduce it. Empty if
/// there is nothing to say.
#[must_use]
pub fn render_end(report: &Report, options: &Options) -> String {
    let mut page = Page::new(options.color, options.width);
    let mut parts = 0;
    // Parts stand apart.
    let mut part = |page: &mut Page| {
        if parts > 0 {
            page.blank();
        }
        parts += 1;
    };
    let missing = options.sources.missing(&report.findings);
    let notes = &report.notes;
    if ![&report.warnings, &report.limits, notes]
        .iter()
        .all(|list| list.is_empty())
        || !missing.is_empty()
    {
        part(&mut page);
    }
    for warning in &report.warnings {
        page.line(
            0,
            9,
            &[
                (Ink::Warning, "warning".into()),
                (Ink::Strong, format!(": {warning}")),
            ],
        );
    }
    for note in notes {
        page.line(
            0,
            6,
            &[
                (Ink::Note, "note".into()),
                (Ink::Strong, format!(": {note}")),
            ],
        );
    }
    if !missing.is_empty() {
        note_missing(&mut page, &missing, options);
    }
    if !report.limits.is_empty() {
        page.line(
            0,
            0,
            &[
                (Ink::Note, "note".into()),
                (Ink::Strong, ": this run does not show everything:".into()),
            ],
        );
        for limit in &report.limits {
            page.line(2, 2, &[(Ink::Plain, format!("- {limit}"))]);
        }
    }
    let told = !report.findings.is_empty();
    // What was refused is not why it ended.
    let ended = matches!(report.exit, Some(GuestExit::Stopped { .. })) && !report.limits.is_empty();
    // Nobody looks at many runs to see nothing.
    let many = report.command == Command::Check;
    if report.findings.len() > 1 {
        part(&mut page);
        table(&mut page, report, options);
    }
    if told || options.verbose || ended || many {
        if let Some(outcomes) = outcomes(report) {
            part(&mut page);
            ends(&mut page, outcomes);
        }
        part(&mut page);
        summary(&mut page, report);
    }
    if let (true, Some(command)) = (told, &report.reproduce) {
        // One line whatever its length, so that it can be copied.
        page.raw(&format!("reproduce: {}", clean(command)));
    }
    page.finish()
}

/// The ways in which runs ended, if in more than one.
fn outcomes(report: &Report) -> Option<&[HowEnded]> {
    let outcomes = &*report.schedules.as_ref()?.outcomes;
    (outcomes.len() > 1).then_some(outcomes)
}

/// A line for each of them, the usual one first.
fn ends(page: &mut Page, outcomes: &[HowEnded]) {
    let mut outcomes: Vec<&HowEnded> = outcomes.iter().collect();
    outcomes.sort_by_key(|outcome| Reverse(outcome.count));
    let counts = outcomes.iter().map(|outcome| outcome.count.to_string());
    let widest = counts.map(|count| count.len()).max().unwrap_or(0);
    for outcome in outcomes {
        let HowEnded { how, count, first } = outcome;
        let count = text::count(*count, "schedule", "schedules");
        let gap = " ".repeat((widest + " schedules".len()).saturating_sub(width(&count)));
        page.line(
            2,
            4,
            &[
                (Ink::Plain, format!("{gap}{count}: {}", clean(how))),
                (Ink::Faint, format!(", first {first}")),
            ],
        );
    }
}

fn note_missing(page: &mut Page, missing: &[String], options: &Options) {
    let limit = if options.verbose {
        missing.len()
    } else {
        MAX_MISSING
    };
    let mut files = missing
        .iter()
        .take(limit)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if missing.len() > limit {
        files.push_str(&format!(" and {} more", missing.len() - limit));
    }
    let hint = match options.sources_hint {
        Some(hint) => format!("; {hint}"),
        None => String::new(),
    };
    page.line(
        0,
        6,
        &[
            (Ink::Note, "note".into()),
            (Ink::Plain, format!(": sources not found: {files}{hint}")),
        ],
    );
}

/// A line for each finding, most important first.
fn table(page: &mut Page, report: &Report, options: &Options) {
    let (findings, left_out) = first(report, SUMMARY_LINES);
    let rows: Vec<(String, String)> = findings
        .iter()
        .map(|finding| (row_title(finding, report), row_place(finding, options)))
        .collect();
    let number_width = rows.len().to_string().len();
    let widest = |column: fn(&(String, String)) -> &str| {
        rows.iter().map(|row| width(column(row))).max().unwrap_or(0)
    };
    let indent = 2 + number_width + 2;
    let room = page.width.saturating_sub(indent);
    // Both columns have a line in common where the places leave the titles enough of it.
    let places = widest(|row| &row.1).min(room / 2);
    let titles = widest(|row| &row.0).min(room.saturating_sub(places + 2));
    for (number, (finding, (title, place))) in (1..).zip(findings.iter().zip(&rows)) {
        let ink = match finding.is_known() {
            true => Ink::Faint,
            false => Ink::Plain,
        };
        let title = shorten(title, titles.max(20));
        let gap = titles.saturating_sub(width(&title)) + 2;
        page.line(
            2,
            indent,
            &[
                (Ink::Rail, format!("{number:>number_width$}")),
                (Ink::Plain, "  ".into()),
                (ink, title),
                (Ink::Plain, " ".repeat(gap)),
                (Ink::Place, place.clone()),
            ],
        );
    }
    if left_out > 0 {
        page.line(indent, 0, &[(Ink::Faint, format!("... {left_out} more"))]);
    }
}

fn row_title(finding: &Finding, report: &Report) -> String {
    let mut title = finding.title.clone();
    if let (Some(shown), Some(all)) = (&finding.schedules, &report.schedules) {
        title.push_str(&format!(", {} of {} schedules", shown.shown, all.run));
    }
    if finding.is_known() {
        title.push_str(" (known)");
    }
    clean(&title)
}

fn row_place(finding: &Finding, options: &Options) -> String {
    let stacks = finding.stacks();
    let frame = stacks.iter().find_map(|stack| place(stack));
    frame.map_or_else(String::new, |frame| clean(&stack::location(frame, options)))
}

/// `2 findings (1 data race, 1 deadlock)`.
pub(in crate::report) fn summary_kinds(report: &Report) -> String {
    let kinds: Vec<String> = FindingKind::ALL
        .into_iter()
        .filter_map(|kind| {
            let n = report.findings.iter().filter(|f| f.kind == kind).count() as u64;
            (n > 0).then(|| kind.counted(n))
        })
        .collect();
    if kinds.is_empty() {
        return "no findings".to_owned();
    }
    let findings = text::count(report.findings.len() as u64, "finding", "findings");
    format!("{findings} ({})", kinds.join(", "))
}

/// What else belongs in one line: `seed 7`, `guest exit code 0`.
pub(in crate::report) fn summary_facts(report: &Report) -> Vec<String> {
    let mut facts = Vec::new();
    facts.extend(report.schedule.as_ref().map(ToString::to_string));
    facts.extend(report.schedules.as_ref().map(ToString::to_string));
    match &report.exit {
        Some(GuestExit::Exited { code }) => facts.push(format!("guest exit code {code}")),
        Some(GuestExit::Trapped { .. }) => facts.push("trapped".into()),
        Some(GuestExit::Deadlocked) => facts.push("deadlocked".into()),
        Some(GuestExit::Stopped { reason }) => facts.push(format!("stopped: {reason}")),
        None => {}
    }
    let suppressed: u64 = report.suppressed.iter().map(|one| one.findings).sum();
    if suppressed > 0 {
        facts.push(format!("{suppressed} suppressed"));
    }
    let known = report.findings.iter().filter(|f| f.is_known()).count();
    if known > 0 {
        facts.push(format!("{known} known"));
    }
    facts
}

/// The verdict and the facts of a run, in one line of plain text.
#[must_use]
pub fn one_line(report: &Report) -> String {
    let mut line = summary_kinds(report);
    for fact in summary_facts(report) {
        line.push_str(" · ");
        line.push_str(&clean(&fact));
    }
    line
}

/// `grind: 2 findings (1 data race, 1 deadlock) · seed 7 · random scheduler · guest exit code 0`
fn summary(page: &mut Page, report: &Report) {
    let kinds = summary_kinds(report);
    let mut spans: Vec<Span> = vec![(Ink::Strong, "grind: ".into())];
    match kinds.split_once(" (") {
        Some((findings, kinds)) => {
            spans.push((Ink::Error, findings.to_owned()));
            spans.push((Ink::Strong, format!(" ({kinds}")));
        }
        None => spans.push((Ink::Strong, kinds)),
    }
    for fact in summary_facts(report) {
        spans.push((Ink::Faint, " · ".into()));
        spans.push((Ink::Plain, fact));
    }
    page.line(0, 2, &spans);
}
