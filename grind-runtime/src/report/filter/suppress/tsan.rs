//! ThreadSanitizer's suppression files: a line each, `kind:pattern`; empty lines and those that begin with `#` are
//! skipped. Kinds of other sanitizers, and those for signals, are accepted and mean nothing here.

use crate::report::filter::suppress::{About, Origin, Pattern, Suppression};
use std::fmt;

/// Kinds that such files may have and that concern nothing that grind reports.
const FOREIGN: &[&str] = &[
    "signal",
    "interceptor_name",
    "interceptor_via_fun",
    "interceptor_via_lib",
    "leak",
    "odr_violation",
    "vptr_check",
];

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadLine {
            file,
            line,
            column,
            problem,
        } = self;
        write!(f, "{file}:{line}:{column}: {problem}")
    }
}

/// Reads a suppression file, whose name is for messages. Lines that cannot be read are told of, all of them; the
/// caller decides whether the others count.
#[must_use]
pub fn parse(text: &str, file: &str) -> (Vec<Suppression>, Vec<BadLine>) {
    let mut suppressions = Vec::new();
    let mut bad = Vec::new();
    // What an editor of Windows puts in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let mut refuse = |offset: usize, problem: String| {
            bad.push(BadLine {
                file: file.to_owned(),
                line: number,
                column: indent + offset + 1,
                problem,
            });
        };
        let Some((kind, pattern)) = trimmed.split_once(':') else {
            let end = trimmed.chars().count();
            refuse(end, "expected `kind:pattern`, found no `:`".to_owned());
            continue;
        };
        if pattern.is_empty() {
            let end = trimmed.chars().count();
            refuse(
                end,
                "the pattern is empty, which would match all".to_owned(),
            );
            continue;
        }
        match About::from_name(kind) {
            Some(about) => suppressions.push(Suppression {
                about,
                pattern: Pattern::new(pattern),
                reason: None,
                until: None,
                origin: Origin::Line(file.to_owned(), number),
            }),
            None if FOREIGN.contains(&kind) => {}
            None => {
                let nearest = (About::names())
                    .map(|known| (strsim::damerau_levenshtein(kind, known), known))
                    .min();
                let hint = match nearest {
                    Some((0..=2, known)) => format!("; did you mean `{known}`?"),
                    _ => {
                        let known: Vec<_> = About::names().collect();
                        format!("; known are {}", known.join(", "))
                    }
                };
                refuse(0, format!("unknown kind `{kind}`{hint}"));
            }
        }
    }
    (suppressions, bad)
}
