//! Call stacks.

use super::Options;
use super::page::{Ink, Page, Span, width};
use crate::program::symbols::Frame;
use crate::report::frames::is_library;
use crate::report::text::shorten;

/// Longest function name shown, in characters, unless verbose.
const FUNCTION_CHARS: usize = 120;
/// Longest path shown, in characters, unless verbose.
const PATH_CHARS: usize = 160;
/// Most frames shown, unless verbose. A recursion that ran away has many thousands.
const MAX_FRAMES: usize = 64;

enum Entry<'a> {
    Frame(usize, &'a Frame),
    /// So many frames of libraries.
    Folded(usize),
    /// So many frames in the middle of a very long stack.
    Omitted(usize),
}

/// `src/main.rs:12:9`, or where in the module it is if that is all there is.
pub(super) fn location(frame: &Frame, options: &Options) -> String {
    let Some(file) = &frame.file else {
        return format!("wasm-function[{}]:{:#x}", frame.func_index, frame.offset);
    };
    let mut out = options.sources.display(file);
    if !options.verbose {
        out = shorten(&out, PATH_CHARS);
    }
    if let Some(line) = frame.line {
        out.push_str(&format!(":{line}"));
        if let Some(column) = frame.column {
            out.push_str(&format!(":{column}"));
        }
    }
    out
}

/// The function's name.
pub(super) fn function(frame: &Frame, options: &Options) -> String {
    match &frame.function {
        Some(name) if options.verbose => name.clone(),
        Some(name) => shorten(name, FUNCTION_CHARS),
        None if frame.file.is_some() => format!("wasm-function[{}]", frame.func_index),
        None => "<unknown function>".into(),
    }
}

/// All frames, numbered, innermost first; or that there is none.
pub(super) fn print(page: &mut Page, indent: usize, stack: &[Frame], options: &Options) {
    if stack.is_empty() {
        page.line(indent, 0, &[(Ink::Faint, "(no stack)".into())]);
        return;
    }
    let entries = entries(stack, options);
    let number_width = stack.len().saturating_sub(1).to_string().len() + 1;
    let left = indent + number_width + 1;
    let room = page.width.saturating_sub(left);
    let name_width = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Frame(_, frame) => Some(width(&name(frame, options).0)),
            _ => None,
        })
        .filter(|wide| *wide <= room / 2)
        .max()
        .unwrap_or(0);
    for entry in &entries {
        match entry {
            Entry::Frame(index, frame) => {
                let faint = is_library(frame);
                let (plain, spans) = name(frame, options);
                let place = location(frame, options);
                let mut line = vec![(
                    Ink::Rail,
                    format!("{:<number_width$} ", format!("#{index}")),
                )];
                line.extend(spans);
                let gap = name_width.saturating_sub(width(&plain)) + 2;
                let place_ink = if faint { Ink::Faint } else { Ink::Place };
                if width(&plain) <= name_width && name_width + 2 + width(&place) <= room {
                    line.push((Ink::Plain, " ".repeat(gap)));
                    line.push((place_ink, place));
                    page.line(indent, number_width + 3, &line);
                } else {
                    page.line(indent, number_width + 3, &line);
                    page.line(
                        left + 2,
                        0,
                        &[(Ink::Faint, "at ".into()), (place_ink, place)],
                    );
                }
            }
            Entry::Folded(n) => {
                page.line(left, 0, &[(Ink::Faint, format!("... {n} library frames"))])
            }
            Entry::Omitted(n) => {
                page.line(left, 0, &[(Ink::Faint, format!("... {n} frames omitted"))]);
            }
        }
    }
}

fn name(frame: &Frame, options: &Options) -> (String, Vec<Span>) {
    let ink = if is_library(frame) {
        Ink::Faint
    } else {
        Ink::Plain
    };
    let mut spans = vec![(ink, function(frame, options))];
    if frame.inlined {
        spans.push((Ink::Faint, " (inlined)".into()));
    }
    let plain = spans.iter().map(|(_, text)| text.as_str()).collect();
    (plain, spans)
}

/// The innermost frame always shows: it is what happened. Of the others, runs of two and more library
/// frames are folded, unless nothing else would be left.
fn entries<'a>(stack: &'a [Frame], options: &Options) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    let fold = !options.verbose && !stack.iter().all(is_library);
    let mut rest = stack.iter().enumerate().peekable();
    while let Some((index, frame)) = rest.next() {
        if !fold || index == 0 || !is_library(frame) {
            entries.push(Entry::Frame(index, frame));
            continue;
        }
        let mut run = 1;
        while rest.next_if(|(_, frame)| is_library(frame)).is_some() {
            run += 1;
        }
        entries.push(if run == 1 {
            Entry::Frame(index, frame)
        } else {
            Entry::Folded(run)
        });
    }
    if !options.verbose && entries.len() > MAX_FRAMES {
        let half = MAX_FRAMES / 2;
        let cut = half..entries.len() - half;
        let frames = entries[cut.clone()]
            .iter()
            .map(|entry| match entry {
                Entry::Folded(n) | Entry::Omitted(n) => *n,
                Entry::Frame(..) => 1,
            })
            .sum();
        entries.splice(cut, [Entry::Omitted(frames)]);
    }
    entries
}
