//! Call stacks.

use crate::program::symbols::Frame;
use crate::report::finding::frames::is_library;
use crate::report::render::human::Options;
use crate::report::render::human::page::{Ink, Page, Span, width};
use crate::report::text;
use crate::report::text::shorten;

/// Longest function name shown with its generic arguments, in characters, unless verbose.
const PLAIN_CHARS: usize = 60;
/// Longest function name shown, in characters, unless verbose.
const FUNCTION_CHARS: usize = 120;
/// Longest path shown, in characters, unless verbose.
const PATH_CHARS: usize = 160;
/// Most frames shown, unless verbose. A recursion that ran away has many thousands.
const MAX_FRAMES: usize = 64;
/// Most frames of a cycle that is shown once. Functions that call each other in turn have as many as they are,
/// and one for each that was inlined into them.
const MAX_CYCLE: usize = 16;

enum Entry<'a> {
    Frame(usize, &'a Frame),
    /// The last so many frames, so many times more.
    Repeated(usize, usize),
    /// So many frames of libraries.
    Folded(usize),
    /// So many frames in the middle of a very long stack.
    Omitted(usize),
}

/// `src/main.rs:12:9`, or where in the module it is if that is all there is.
pub(in crate::report) fn location(frame: &Frame, options: &Options) -> String {
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
pub(in crate::report) fn function(frame: &Frame, options: &Options) -> String {
    match &frame.function {
        Some(name) if options.verbose => name.clone(),
        Some(name) if name.chars().count() > PLAIN_CHARS => {
            shorten(&without_arguments(name), FUNCTION_CHARS)
        }
        Some(name) => name.clone(),
        None if frame.file.is_some() => format!("wasm-function[{}]", frame.func_index),
        None => "<unknown function>".into(),
    }
}

/// `f<..>` for `f<a::B<c::D>>`. `<A as B>` is no list of arguments and stays.
fn without_arguments(name: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_u32;
    // Brackets that were written and are to be closed.
    let mut kept = 0_u32;
    let mut previous = ' ';
    for c in name.chars() {
        match c {
            '<' if depth > 0 => depth += 1,
            '<' if (previous.is_alphanumeric() || matches!(previous, '_' | ':' | '}'))
                && !out.ends_with("operator") =>
            {
                out.push_str("<..>");
                depth = 1;
            }
            '<' => {
                kept += 1;
                out.push(c);
            }
            // Of `->`.
            '>' if previous == '-' && depth == 0 => out.push(c),
            '>' if previous == '-' => {}
            '>' if depth > 0 => depth -= 1,
            '>' => {
                kept = kept.saturating_sub(1);
                out.push(c);
            }
            c if depth == 0 => out.push(c),
            _ => {}
        }
        previous = c;
    }
    if depth > 0 || kept > 0 {
        // Brackets that do not match: a C++ operator, or no name at all.
        return name.to_owned();
    }
    out
}

/// All frames, numbered, innermost first; or that there is none.
pub(in crate::report) fn print(page: &mut Page, indent: usize, stack: &[Frame], options: &Options) {
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
                        3,
                        &[(Ink::Faint, "at ".into()), (place_ink, place)],
                    );
                }
            }
            Entry::Repeated(1, n) => note(page, left, format!("... the same {n} times more")),
            Entry::Repeated(cycle, n) => {
                note(
                    page,
                    left,
                    format!("... these {cycle} frames {n} times more"),
                );
            }
            Entry::Folded(n) => note(page, left, format!("... {}", library_frames(*n))),
            Entry::Omitted(n) => {
                let frames = text::count(*n as u64, "frame", "frames");
                note(page, left, format!("... {frames} omitted"));
            }
        }
    }
}

/// `2 library frames`.
pub(in crate::report) fn library_frames(n: usize) -> String {
    text::count(n as u64, "library frame", "library frames")
}

fn note(page: &mut Page, indent: usize, text: String) {
    page.line(indent, 0, &[(Ink::Faint, text)]);
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

/// The shortest cycle of frames that `stack` begins with and goes through at least three times: its length, and how
/// often it comes again.
fn cycle(stack: &[Frame]) -> Option<(usize, usize)> {
    (1..=MAX_CYCLE).find_map(|cycle| {
        let ahead = stack.get(cycle..)?;
        let same = stack.iter().zip(ahead).take_while(|(a, b)| a == b).count();
        (same / cycle > 1).then_some((cycle, same / cycle))
    })
}

/// Frames that repeat, as in a recursion, show once: from a frame of the user's on. Runs of three and more library
/// frames are folded, except the last of a run, which is what the user's code called. At the outer end nothing called them, and they are folded whole. Unless nothing else
/// would be left.
fn entries<'a>(stack: &'a [Frame], options: &Options) -> Vec<Entry<'a>> {
    let mut entries: Vec<Entry<'a>> = Vec::new();
    let fold = !options.verbose && !stack.iter().all(is_library);
    let mut index = 0;
    while let Some(frame) = stack.get(index) {
        let run = stack[index..].iter().take_while(|f| is_library(f)).count();
        if run == 0 {
            if !options.verbose
                && let Some((cycle, times)) = cycle(&stack[index..])
            {
                let once = index..index + cycle;
                entries.extend(once.map(|at| Entry::Frame(at, &stack[at])));
                entries.push(Entry::Repeated(cycle, times));
                index += cycle * (times + 1);
            } else {
                entries.push(Entry::Frame(index, frame));
                index += 1;
            }
            continue;
        }
        let kept = usize::from(index + run < stack.len());
        let folded = if fold && run >= kept + 2 {
            run - kept
        } else {
            0
        };
        if folded > 0 {
            entries.push(Entry::Folded(folded));
        }
        let shown = index + folded..index + run;
        entries.extend(shown.map(|at| Entry::Frame(at, &stack[at])));
        index += run;
    }
    if !options.verbose && entries.len() > MAX_FRAMES {
        let half = MAX_FRAMES / 2;
        let cut = half..entries.len() - half;
        let frames = entries[cut.clone()]
            .iter()
            .map(|entry| match entry {
                Entry::Folded(n) | Entry::Omitted(n) => *n,
                Entry::Repeated(cycle, n) => cycle * n,
                Entry::Frame(..) => 1,
            })
            .sum();
        entries.splice(cut, [Entry::Omitted(frames)]);
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::{Entry, entries, without_arguments};
    use crate::program::symbols::{Frame, SymbolSource};
    use crate::report::render::human::Options;

    /// One frame a letter; capitals are of a library.
    fn stack(letters: &str) -> Vec<Frame> {
        let frame = |letter: char| Frame {
            function: Some(letter.into()),
            file: Some(match letter {
                'A'..='Z' => "library/core/src/a.rs".into(),
                _ => "src/main.rs".into(),
            }),
            line: Some(1),
            column: None,
            inlined: false,
            func_index: 0,
            offset: u32::from(letter),
            source: SymbolSource::Dwarf,
        };
        letters.chars().map(frame).collect()
    }

    fn shown(letters: &str, verbose: bool) -> String {
        let (stack, mut out) = (stack(letters), String::new());
        let options = Options {
            verbose,
            ..Options::default()
        };
        for entry in entries(&stack, &options) {
            out.push_str(&match entry {
                Entry::Frame(_, frame) => frame.function.clone().unwrap_or_default(),
                Entry::Repeated(cycle, times) => format!("({cycle}x{times})"),
                Entry::Folded(n) => format!("[{n}]"),
                Entry::Omitted(n) => format!("...{n}..."),
            });
        }
        out
    }

    #[test]
    fn what_repeats_shows_once() {
        for (letters, brief) in [
            ("abc", "abc"),
            ("aab", "aab"),
            ("aaab", "a(1x2)b"),
            ("xaaaaab", "xa(1x4)b"),
            ("abab", "abab"),
            ("ababab", "ab(2x2)"),
            ("xabababay", "xab(2x2)ay"),
            // One in another's place: the shorter one goes first.
            ("aaabaaabaaabz", "a(1x2)ba(1x2)ba(1x2)bz"),
            ("abcdabcdabcdabcdm", "abcd(4x3)m"),
            // Through a library's function.
            ("aCaCaCm", "aC(2x2)m"),
            ("CaCaCaCm", "CaC(2x2)m"),
        ] {
            assert_eq!(shown(letters, false), brief, "{letters}");
            assert_eq!(shown(letters, true), letters);
        }
    }

    #[test]
    fn a_cycle_that_is_too_long_is_cut_like_any_other_stack() {
        let long: String = ('a'..='q').collect();
        assert_eq!(
            shown(&long.repeat(100), false),
            format!(
                "{}...{}...{}",
                &long.repeat(2)[..32],
                1700 - 64,
                &long.repeat(2)[2..]
            )
        );
        assert_eq!(
            shown(&long[..16].repeat(100), false),
            format!("{}(16x99)", &long[..16])
        );
    }

    #[test]
    fn generic_arguments_go_and_types_stay() {
        for (name, brief) in [
            ("lock<a::Raw<b::C>, ()>", "lock<..>"),
            (
                "<a::Q<T> as b::Push<u8>>::push::<u32>",
                "<a::Q<..> as b::Push<..>>::push::<..>",
            ),
            (
                "apply::<fn(u32) -> u32>::{closure#0}",
                "apply::<..>::{closure#0}",
            ),
            ("f(fn() -> u32)", "f(fn() -> u32)"),
            ("ns::operator<(ns::A, ns::A)", "ns::operator<(ns::A, ns::A)"),
            ("a<b", "a<b"),
            ("main", "main"),
        ] {
            assert_eq!(without_arguments(name), brief);
        }
    }
}
