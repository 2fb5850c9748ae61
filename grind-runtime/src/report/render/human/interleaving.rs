//! The steps that led to a race, numbered.

use crate::report::finding::history::{History, Line};
use crate::report::finding::{Finding, Race};
use crate::report::render::human::Options;
use crate::report::render::human::page::{Ink, Page, Span, width};
use crate::report::render::human::stack::location;

/// Why nothing orders the accesses, then the steps, with their places in a column.
pub(in crate::report) fn print(
    page: &mut Page,
    finding: &Finding,
    race: &Race,
    history: &History,
    options: &Options,
) {
    page.blank();
    let verdict = history.verdict(finding, race);
    let spans = [
        (Ink::Strong, "not ordered".into()),
        (Ink::Plain, format!(": {verdict}")),
    ];
    page.line(0, 4, &spans);
    let lines: Vec<Line<'_>> = history.lines(race).collect();
    let digits = lines.len().to_string().len();
    let text = |line: &Line<'_>| match line.access {
        Some(access) => format!("{} ({access}) {}", line.thread, line.text),
        None => format!("{} {}", line.thread, line.text),
    };
    let column = (lines.iter().map(|line| width(&text(line))))
        .filter(|wide| *wide <= page.width / 2)
        .max()
        .unwrap_or(0);
    for line in &lines {
        if line.left_out > 0 {
            let left_out = format!("… {} more of {}", line.left_out, line.thread);
            page.line(4 + digits + 2, 2, &[(Ink::Faint, left_out)]);
        }
        let text = text(line);
        let pad = column.saturating_sub(width(&text)) + 2;
        let ink = match line.access {
            Some(_) => Ink::Strong,
            None => Ink::Plain,
        };
        let mut spans: Vec<Span> = vec![
            (Ink::Rail, format!("{:>digits$}. ", line.number)),
            (ink, text),
        ];
        if let Some(frame) = line.frame {
            let place = location(frame, options);
            spans.push((Ink::Place, format!("{}{place}", " ".repeat(pad))));
        }
        if let Some(role) = line.role {
            spans.push((Ink::Note, format!("  ← {role}")));
        }
        page.line(4, digits + 4, &spans);
    }
}
