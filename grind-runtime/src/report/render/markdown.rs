//! Markdown, for comments and summaries: a table of findings, then each as a person would read it on a terminal.

use crate::report::finding::Finding;
use crate::report::finding::frames::place;
use crate::report::finding::summary::Report;
use crate::report::render::human::{location, render_finding, summary_facts, summary_kinds};
use crate::report::render::limits::{MARKDOWN_BYTES, MARKDOWN_FINDINGS, SUMMARY_LINES, first};
use crate::report::render::options::Options;
use crate::report::text::log::shield;
use crate::report::text::{clean, count, shorten};
use std::fmt::Write as _;

/// The report as Markdown of GitHub's flavour. Findings that a baseline knows are in the table only.
#[must_use]
pub fn render(report: &Report, options: &Options) -> String {
    let options = &options.plain();
    let mut out = String::new();
    head(&mut out, report);
    table(&mut out, report, options);
    let (findings, _) = first(report, usize::MAX);
    let new: Vec<&Finding> = (findings.into_iter())
        .filter(|finding| !finding.is_known())
        .collect();
    let mut shown = 0;
    for finding in new.iter().take(MARKDOWN_FINDINGS) {
        let text = section(finding, shown + 1, new.len() > 3, options);
        if out.len() + text.len() > MARKDOWN_BYTES {
            break;
        }
        out.push_str(&text);
        shown += 1;
    }
    if shown < new.len() {
        let left = count((new.len() - shown) as u64, "more finding", "more findings");
        let _ = writeln!(
            out,
            "\n{left} left out: at most {MARKDOWN_FINDINGS} findings and {MARKDOWN_BYTES} bytes are shown here."
        );
    }
    foot(&mut out, report, options);
    shield(&out)
}

fn head(out: &mut String, report: &Report) {
    let _ = writeln!(out, "## grind: {}\n", summary_kinds(report));
    let mut words = vec![report.program.module.clone()];
    words.extend(report.program.arguments.iter().cloned());
    let _ = write!(out, "Ran {}", code(&shorten(&words.join(" "), 200)));
    for fact in summary_facts(report) {
        let _ = write!(out, " · {}", escape(&fact));
    }
    out.push('\n');
}

fn table(out: &mut String, report: &Report, options: &Options) {
    if report.findings.is_empty() {
        return;
    }
    let (findings, left_out) = first(report, SUMMARY_LINES);
    let schedules = findings.iter().any(|f| f.schedules.is_some());
    let baseline = findings.iter().any(|f| f.baseline.is_some());
    let columns = |number: &str, finding: &str, place: &str, more: [String; 2], id: &str| {
        let [shown, state] = more;
        let shown = if schedules {
            format!(" {shown} |")
        } else {
            String::new()
        };
        let state = if baseline {
            format!(" {state} |")
        } else {
            String::new()
        };
        format!("| {number} | {finding} | {place} |{shown}{state} {id} |\n")
    };
    out.push('\n');
    let names = ["schedules".to_owned(), "baseline".to_owned()];
    out.push_str(&columns("#", "finding", "where", names, "fingerprint"));
    let rule = ["---".to_owned(), "---".to_owned()];
    out.push_str(&columns("---", "---", "---", rule, "---"));
    for (number, finding) in (1..).zip(findings) {
        let stacks = finding.stacks();
        let at = stacks.iter().find_map(|stack| place(stack));
        let at = at.map_or_else(String::new, |frame| code(&location(frame, options)));
        let shown = finding
            .schedules
            .as_ref()
            .map_or_else(String::new, |s| s.shown.to_string());
        let state = match finding.is_known() {
            true => "known",
            false => "new",
        };
        out.push_str(&columns(
            &number.to_string(),
            &escape(&finding.title),
            &at,
            [shown, state.to_owned()],
            &code(&finding.fingerprint.to_string()),
        ));
    }
    if left_out > 0 {
        let more = count(left_out as u64, "more finding is", "more findings are");
        let _ = writeln!(out, "\n{more} not in this table.");
    }
}

fn section(finding: &Finding, number: usize, folded: bool, options: &Options) -> String {
    let title = escape(&finding.title);
    let text = fenced(&render_finding(finding, options));
    if folded {
        return format!("\n<details><summary>{number}. {title}</summary>\n\n{text}\n</details>\n");
    }
    format!("\n### {number}. {title}\n\n{text}")
}

fn foot(out: &mut String, report: &Report, options: &Options) {
    let missing = options.sources.missing(&report.findings);
    if !missing.is_empty() {
        let files: Vec<String> = missing.iter().take(10).map(|file| code(file)).collect();
        let more = match missing.len().saturating_sub(10) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let _ = writeln!(out, "\nSources not found: {}{more}.", files.join(", "));
    }
    let said = [
        ("This run does not show everything", &report.limits),
        ("Warnings", &report.warnings),
        ("Notes", &report.notes),
    ];
    for (title, lines) in said {
        if !lines.is_empty() {
            let _ = writeln!(out, "\n{title}:\n");
            for line in lines {
                let _ = writeln!(out, "- {}", escape(line));
            }
        }
    }
    if let Some(command) = &report.reproduce
        && !report.is_clean()
    {
        let _ = write!(out, "\nReproduce with\n\n{}", fenced(&clean(command)));
    }
}

/// Text in which nothing is markup: every character that could begin some is escaped.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A backslash does not keep a host from linking a name.
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Longest run of backticks in a text.
fn backticks(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

/// A code span, in a cell of a table too.
fn code(text: &str) -> String {
    let text = clean(text).replace('|', "\\|");
    let fence = "`".repeat(backticks(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A block of text as it is.
fn fenced(text: &str) -> String {
    let fence = "`".repeat((backticks(text) + 1).max(3));
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}text\n{text}{end}{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_markup() {
        assert_eq!(
            escape("<b>*x* [a](b) |`@me` #1\n"),
            "&lt;b&gt;\\*x\\* \\[a\\](b) \\|\\`&#64;me\\` \\#1\\\\n"
        );
        assert_eq!(code("a`b|"), "``a`b\\|``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(fenced("```\nx"), "````text\n```\nx\n````\n");
    }
}
