//! The head of a finding: its title and the source lines concerned, as rustc would show them.

use crate::program::symbols::Frame;
use crate::report::render::human::Options;
use crate::report::render::source::Source;
use crate::report::text::{clean, is_unprintable, shorten};
use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};
use std::ops::Range;
use std::sync::Arc;

/// Most lines between two marks that one excerpt shows, or folds. Marks that are further apart have excerpts of their own, so
/// that what an excerpt costs does not depend on how long the file is.
const MAX_GAP: u32 = 200;
/// Longest source line shown as one; annotate-snippets trims it further to the width.
const MAX_LINE: usize = 2000;

/// A place to show, and what to say about it.
pub(in crate::report) struct Mark<'a> {
    pub(in crate::report) frame: &'a Frame,
    pub(in crate::report) label: String,
}

/// The title, and an excerpt with all marks as far as their sources are found; the first is the primary one.
pub(in crate::report) fn render(title: &str, marks: &[Mark<'_>], options: &Options) -> String {
    let mut files: Vec<File<'_, '_>> = Vec::new();
    for (index, mark) in marks.iter().enumerate() {
        let Some(path) = &mark.frame.file else {
            continue;
        };
        match files.iter_mut().find(|file| file.path == path) {
            Some(file) => file.marks.push((index, mark)),
            None => files.push(File {
                path,
                source: options.sources.get(path),
                marks: vec![(index, mark)],
            }),
        }
    }
    let elements: Vec<Element<'static>> = files
        .iter()
        .flat_map(|file| file.elements(options))
        .collect();
    let group = Level::ERROR.primary_title(clean(title)).elements(elements);
    let renderer = if options.color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.term_width(options.width.max(40)).render(&[group])
}

struct File<'a, 'm> {
    path: &'a str,
    source: Option<Arc<Source>>,
    marks: Vec<(usize, &'m Mark<'a>)>,
}

impl File<'_, '_> {
    fn elements(&self, options: &Options) -> Vec<Element<'static>> {
        let shown = clean(&shorten(&options.sources.display(self.path), 160));
        if let Some(snippets) = self.snippets(&shown) {
            return snippets;
        }
        let mut origins: Vec<(Option<u32>, Option<u32>)> = Vec::new();
        for (_, mark) in &self.marks {
            let origin = (mark.frame.line, mark.frame.column);
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        origins
            .into_iter()
            .map(|(line, column)| {
                let mut origin = Origin::path(shown.clone());
                if let Some(line) = line {
                    origin = origin.line(line as usize);
                    if let Some(column) = column {
                        origin = origin.char_column(column as usize);
                    }
                }
                origin.into()
            })
            .collect()
    }

    /// One for each group of marks. `None` if the text is missing, or is evidently not the one that was compiled.
    fn snippets(&self, shown: &str) -> Option<Vec<Element<'static>>> {
        let source = self.source.as_deref()?;
        let mut marks: Vec<(u32, usize, &Mark<'_>)> = (self.marks.iter())
            .filter_map(|&(index, mark)| Some((mark.frame.line?, index, mark)))
            .collect();
        marks.sort_by_key(|(line, ..)| *line);
        let groups = marks.chunk_by(|(one, ..), (next, ..)| next - one <= MAX_GAP);
        let snippets: Option<Vec<_>> = groups
            .map(|group| {
                let first = group.iter().map(|(_, index, _)| *index).min()?;
                Some((first, snippet(source, group, shown)?))
            })
            .collect();
        let mut snippets = snippets.filter(|snippets| !snippets.is_empty())?;
        // The one with the primary mark comes first.
        snippets.sort_by_key(|(first, _)| *first);
        Some(snippets.into_iter().map(|(_, snippet)| snippet).collect())
    }
}

/// Some marks of one file, in the order of their lines.
fn snippet(
    source: &Source,
    marks: &[(u32, usize, &Mark<'_>)],
    shown: &str,
) -> Option<Element<'static>> {
    let (first, last) = (marks.first()?.0, marks.last()?.0);
    let mut window = String::new();
    // Each line as it is in the file, and where it begins in the window.
    let mut lines = Vec::new();
    for number in first..=last {
        let line = source.line(number as usize)?;
        let line = &line[..line.floor_char_boundary(MAX_LINE)];
        lines.push((line, window.len()));
        window.extend(visible(line));
        window.push('\n');
    }
    let mut spans: Vec<(Range<usize>, AnnotationKind, String)> = Vec::new();
    for (line, index, mark) in marks {
        let (line, start) = *lines.get((line - first) as usize)?;
        let span = expression(line, mark.frame.column);
        let shown = |end: usize| start + visible(&line[..end]).map(char::len_utf8).sum::<usize>();
        let span = shown(span.start)..shown(span.end);
        let kind = if *index == 0 {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let label = clean(&mark.label);
        spans.push((span, kind, label));
    }
    let snippet = Snippet::source(window)
        .path(shown.to_owned())
        .line_start(first as usize)
        .annotations(
            spans
                .into_iter()
                .map(|(span, kind, label)| kind.span(span).label(label)),
        );
    Some(snippet.into())
}

/// A source line with a replacement for each character that must not reach a terminal.
fn visible(line: &str) -> impl Iterator<Item = char> {
    line.chars().map(|c| {
        if c != '\t' && is_unprintable(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    })
}

/// The part of a line to underline: DWARF tells where an expression begins and not where it ends. It ends
/// with its statement, before a bracket that it did not open, or before a comment.
pub(in crate::report) fn expression(line: &str, column: Option<u32>) -> Range<usize> {
    let code_end = line.trim_end().len();
    let indent = line.len() - line.trim_start().len();
    let start = match column {
        Some(column) => line.floor_char_boundary((column as usize).saturating_sub(1)),
        None => indent,
    };
    if start >= code_end {
        // Beyond the line, or in its trailing blanks: the source has changed. Mark what there is.
        return if indent < code_end {
            indent..code_end
        } else {
            0..line.len().min(1)
        };
    }
    let mut depth = 0_u32;
    let mut quoted = false;
    let mut end = code_end;
    let mut previous = ' ';
    for (at, c) in line[start..code_end].char_indices() {
        if quoted {
            quoted = c != '"' || previous == '\\';
            // `\\` escapes itself, and nothing after it.
            previous = if previous == '\\' && c == '\\' {
                ' '
            } else {
                c
            };
            continue;
        }
        match c {
            '"' => quoted = true,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => {
                end = start + at;
                break;
            }
            ')' | ']' | '}' => depth -= 1,
            ';' | ',' if depth == 0 => {
                end = start + at;
                break;
            }
            '/' if previous == '/' => {
                end = start + at - 1;
                break;
            }
            _ => {}
        }
        previous = c;
    }
    let end = start + line[start..end].trim_end().len();
    if end > start {
        start..end
    } else {
        // A bracket or a comment stands right at the column: at least that character.
        let width = line[start..].chars().next().map_or(1, char::len_utf8);
        start..start + width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_underlined() {
        for (line, column, marked) in [
            ("    *c.get() += by;", Some(5), "*c.get() += by"),
            ("    unsafe { *c.get() += 1 }", Some(14), "*c.get() += 1"),
            (
                "    f(a, b(c), \");\"); // no",
                Some(5),
                "f(a, b(c), \");\")",
            ),
            ("    let x = y; // why", Some(13), "y"),
            ("    go() // why", Some(5), "go()"),
            ("    go()   ", None, "go()"),
            ("    go()", Some(99), "go()"),
            ("}", Some(1), "}"),
            ("    ", Some(2), " "),
            ("", None, ""),
            ("ä + ö;", Some(2), "ä + ö"),
            (r#"p("\\", q)"#, Some(1), r#"p("\\", q)"#),
            ("a / b", Some(1), "a / b"),
        ] {
            assert_eq!(&line[expression(line, column)], marked, "{line}");
        }
    }
}
