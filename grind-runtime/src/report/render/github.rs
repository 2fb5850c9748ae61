//! Workflow commands of GitHub Actions: lines that annotate sources.
//!
//! Of one step GitHub shows ten annotations. With more findings, the last one says how many are left.

use crate::detect::common::kind::Severity;
use crate::program::symbols::Frame;
use crate::report::finding::Finding;
use crate::report::finding::frames::place;
use crate::report::finding::summary::Report;
use crate::report::render::human;
use crate::report::render::limits::ANNOTATIONS;
use crate::report::render::options::Options;
use crate::report::render::sections::{Role, sections};
use crate::report::text::{clean, count};

/// The report as workflow commands, one a line. Findings that a baseline knows have none.
#[must_use]
pub fn render(report: &Report, options: &Options) -> String {
    let new = || (report.by_importance().into_iter()).filter(|finding| !finding.is_known());
    let total = new().count();
    let shown = if total > ANNOTATIONS {
        ANNOTATIONS - 1
    } else {
        total
    };
    let mut commands: Vec<String> = (new().take(shown))
        .map(|finding| annotation(finding, options))
        .collect();
    if total > shown {
        let left = count((total - shown) as u64, "more finding", "more findings");
        commands.push(command(
            "error",
            None,
            "grind",
            &format!("{left}: annotations are limited to {ANNOTATIONS}, see the whole report"),
            options,
        ));
    }
    commands.concat()
}

fn annotation(finding: &Finding, options: &Options) -> String {
    let level = match finding.kind.rule().severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut lines = Vec::new();
    let mut frame = None;
    for section in sections(finding) {
        let place = place(section.stack);
        if section.role == Role::Principal {
            frame = frame.or(place);
        } else if section.role == Role::Creation {
            continue;
        }
        lines.push(match place {
            Some(frame) => {
                let heading = section.heading.trim_end_matches(" here");
                format!("{heading} at {}", human::location(frame, options))
            }
            None => section.heading,
        });
    }
    lines.push(format!("fingerprint {}", finding.fingerprint));
    command(level, frame, &finding.title, &lines.join("\n"), options)
}

/// `::error file=src/main.rs,line=1,col=2,title=data race::what happened`
fn command(
    level: &str,
    frame: Option<&Frame>,
    title: &str,
    message: &str,
    options: &Options,
) -> String {
    let mut properties = Vec::new();
    if let Some(frame) = frame
        && let Some(file) = &frame.file
    {
        properties.push(format!("file={}", property(&options.sources.display(file))));
        properties.extend(frame.line.map(|line| format!("line={line}")));
        let column = frame.column.filter(|_| frame.line.is_some());
        properties.extend(column.map(|column| format!("col={column}")));
    }
    properties.push(format!("title={}", property(title)));
    format!("::{level} {}::{}\n", properties.join(","), data(message))
}

/// The text after `::`. Other control characters are written out, as the log is a terminal too.
fn data(text: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| clean(line).replace('%', "%25"))
        .collect();
    lines.join("%0A")
}

fn property(text: &str) -> String {
    clean(text)
        .replace('%', "%25")
        .replace(':', "%3A")
        .replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_or_a_property_early() {
        assert_eq!(property("a,b:c%0A\r\nd"), "a%2Cb%3Ac%250A\\r\\nd");
        assert_eq!(data("a::b\n::error::c\r%"), "a::b%0A::error::c\\r%25");
    }
}
