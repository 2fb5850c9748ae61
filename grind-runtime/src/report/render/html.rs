//! HTML: one file that needs no network, made for looking rather than reading.
//!
//! Everything is in the page without its script; that adds filters, the keyboard and the timeline. Whatever comes from the guest is
//! text to the template, which escapes it, or in the data of the timeline, where no `<` is left. The page's policy admits no script but its own,
//! by its hash, and no connection.

use crate::detect::common::kind::Severity;
use crate::model::ThreadId;
use crate::program::symbols::Frame;
use crate::report::finding::frames::{is_library, place};
use crate::report::finding::summary::Report;
use crate::report::finding::{Evidence, Finding, history};
use crate::report::render::human::{
    expression, function, library_frames, location, summary_facts, summary_kinds,
};
use crate::report::render::json::printable;
use crate::report::render::limits::{FRAMES, HTML_FINDINGS, first};
use crate::report::render::options::Options;
use crate::report::render::sections::{Role, Section, sections};
use crate::report::render::source::Source;
use crate::report::text::{address_label, clean, count, is_unprintable, shorten};
use askama::Template;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("../../../templates/report.css");
const SCRIPT: &str = include_str!("../../../templates/report.js");
/// Lines shown before and after the one that matters.
const CONTEXT: usize = 5;
/// Longest source line shown, in bytes.
const MAX_LINE: usize = 500;
/// Excerpts of a finding.
const EXCERPTS: usize = 4;
/// Colours that threads have, in turn.
const COLORS: usize = 6;

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    version: &'static str,
    style: &'static str,
    script: &'static str,
    script_hash: String,
    verdict: String,
    module: String,
    command: String,
    facts: Vec<String>,
    chips: Vec<Chip>,
    known: usize,
    findings: Vec<FindingView>,
    /// What is left out, counted; empty if nothing is.
    left_out: String,
    timeline: Option<String>,
    timeline_left_out: String,
    notes: Vec<String>,
    reproduce: String,
}

/// A kind to filter by.
struct Chip {
    kind: &'static str,
    title: &'static str,
    severity: &'static str,
    count: usize,
}

struct FindingView {
    number: usize,
    kind: &'static str,
    kind_title: &'static str,
    severity: &'static str,
    help: &'static str,
    title: String,
    place: String,
    fingerprint: String,
    count: u64,
    schedules: String,
    known: bool,
    excerpts: Vec<Excerpt>,
    interleaving: Option<InterleavingView>,
    sections: Vec<SectionView>,
}

struct InterleavingView {
    verdict: String,
    steps: Vec<StepView>,
}

struct StepView {
    number: usize,
    thread: String,
    color: usize,
    text: String,
    /// Which access it is, or 0.
    access: usize,
    place: String,
    role: &'static str,
    left_out: u64,
}

struct SectionView {
    role: &'static str,
    color: usize,
    heading: String,
    locks: Vec<String>,
    frames: Vec<FrameView>,
    /// How many frames are of libraries, which are folded; empty if none is.
    library: String,
    /// How many outer frames are left out; empty if none is.
    left_out: String,
}

struct FrameView {
    index: usize,
    function: String,
    place: String,
    inlined: bool,
    library: bool,
}

struct Excerpt {
    label: String,
    color: usize,
    place: String,
    lines: Vec<Line>,
}

struct Line {
    number: usize,
    hit: bool,
    before: String,
    marked: String,
    after: String,
}

/// The report as a page.
pub(in crate::report) fn render(report: &Report, options: &Options) -> String {
    let options = &options.plain();
    let (findings, left_out) = first(report, HTML_FINDINGS);
    let mut words = vec![report.program.module.clone()];
    words.extend(report.program.arguments.iter().cloned());
    let timeline = report.timeline.as_ref().map(|timeline| {
        let data = serde_json::to_string(timeline)
            .expect("a timeline has string keys only and writes to memory");
        printable(&data).replace('<', "\\u003c")
    });
    let page = Page {
        version: env!("CARGO_PKG_VERSION"),
        style: STYLE,
        script: SCRIPT,
        script_hash: script_hash(),
        verdict: summary_kinds(report),
        module: clean(&report.program.module),
        command: clean(&shorten(&words.join(" "), 300)),
        facts: summary_facts(report)
            .iter()
            .map(|fact| clean(fact))
            .collect(),
        chips: chips(&findings),
        known: findings.iter().filter(|finding| finding.is_known()).count(),
        findings: (1..)
            .zip(&findings)
            .map(|(number, finding)| view(number, finding, options))
            .collect(),
        left_out: counted(
            left_out as u64,
            "less important finding is",
            "less important findings are",
        ),
        timeline,
        timeline_left_out: counted(
            report.timeline.as_ref().map_or(0, |t| t.left_out),
            "slice or arrow is",
            "slices and arrows are",
        ),
        notes: notes(report, options),
        reproduce: clean(report.reproduce.as_deref().unwrap_or_default()),
    };
    page.render().expect("the template writes to memory")
}

/// `2 frames are`; nothing of 0.
fn counted(n: u64, one: &str, many: &str) -> String {
    match n {
        0 => String::new(),
        n => count(n, one, many),
    }
}

fn chips(findings: &[&Finding]) -> Vec<Chip> {
    let mut chips: Vec<Chip> = Vec::new();
    // Findings of one kind come together, but for known ones.
    for finding in findings {
        let rule = finding.kind.rule();
        match chips
            .iter_mut()
            .find(|chip| chip.kind == finding.kind.name())
        {
            Some(chip) => chip.count += 1,
            None => chips.push(Chip {
                kind: finding.kind.name(),
                title: rule.title,
                severity: severity(rule.severity),
                count: 1,
            }),
        }
    }
    chips
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn notes(report: &Report, options: &Options) -> Vec<String> {
    let missing = options.sources.missing(&report.findings);
    let missing = match &missing[..] {
        [] => None,
        files => Some(format!("Sources not found: {}.", files.join(", "))),
    };
    (missing.into_iter())
        .chain(report.warnings.iter().cloned())
        .chain(report.notes.iter().cloned())
        .chain(report.limits.iter().map(|limit| format!("Limit: {limit}")))
        .map(|note| clean(&note))
        .collect()
}

fn view(number: usize, finding: &Finding, options: &Options) -> FindingView {
    let sections = sections(finding);
    // A thread has one colour within a finding.
    let mut threads: Vec<ThreadId> = Vec::new();
    let mut color = |thread: ThreadId| {
        let known = threads.iter().position(|known| *known == thread);
        known.unwrap_or_else(|| {
            threads.push(thread);
            threads.len() - 1
        }) % COLORS
    };
    let rule = finding.kind.rule();
    let principals = || {
        sections
            .iter()
            .filter(|section| section.role == Role::Principal)
    };
    let at = principals().find_map(|section| place(section.stack));
    FindingView {
        number,
        kind: finding.kind.name(),
        kind_title: rule.title,
        severity: severity(rule.severity),
        help: rule.help,
        title: clean(&finding.title),
        place: at.map_or_else(String::new, |frame| clean(&location(frame, options))),
        fingerprint: finding.fingerprint.to_string(),
        count: finding.count,
        schedules: finding
            .schedules
            .as_ref()
            .map_or_else(String::new, |schedules| {
                let shown = count(schedules.shown, "schedule", "schedules");
                format!("{shown}, first {}", schedules.first)
            }),
        known: finding.is_known(),
        excerpts: principals()
            .take(EXCERPTS)
            .filter_map(|section| excerpt(section, color(section.thread), options))
            .collect(),
        interleaving: match &finding.evidence {
            Evidence::Race(race) => race.history.as_ref().map(|history| InterleavingView {
                verdict: clean(&history.verdict(finding, race)),
                steps: (history.lines(race))
                    .map(|line| step_view(&line, color(line.thread), options))
                    .collect(),
            }),
            _ => None,
        },
        sections: (sections.iter())
            .map(|section| section_view(section, color(section.thread), options))
            .collect(),
    }
}

fn step_view(line: &history::Line<'_>, color: usize, options: &Options) -> StepView {
    StepView {
        number: line.number,
        thread: line.thread.to_string(),
        color,
        text: clean(&line.text),
        access: line.access.unwrap_or(0),
        place: line
            .frame
            .map_or_else(String::new, |frame| clean(&location(frame, options))),
        role: line.role.unwrap_or_default(),
        left_out: line.left_out,
    }
}

fn section_view(section: &Section<'_>, color: usize, options: &Options) -> SectionView {
    let stack = section.stack;
    let all_library = stack.iter().all(is_library);
    let frames: Vec<FrameView> = (stack.iter().take(FRAMES).enumerate())
        .map(|(index, frame)| FrameView {
            index,
            function: clean(&function(frame, options)),
            place: clean(&location(frame, options)),
            inlined: frame.inlined,
            library: !all_library && is_library(frame),
        })
        .collect();
    SectionView {
        role: match section.role {
            Role::Principal => "principal",
            Role::Context => "context",
            Role::Creation => "creation",
        },
        color,
        heading: clean(&section.heading),
        locks: (section.locks.iter())
            .map(|lock| {
                let name = address_label(lock.address, lock.name.as_deref());
                let shared = if lock.shared { " (shared)" } else { "" };
                let at = place(&lock.stack).map_or_else(String::new, |frame| {
                    format!(", taken at {}", location(frame, options))
                });
                clean(&format!("holding lock {name}{shared}{at}"))
            })
            .collect(),
        library: match frames.iter().filter(|frame| frame.library).count() {
            0 => String::new(),
            n => library_frames(n),
        },
        left_out: counted(
            stack.len().saturating_sub(FRAMES) as u64,
            "outer frame is",
            "outer frames are",
        ),
        frames,
    }
}

/// The source around the place of a section; without lines if the source is not found.
fn excerpt(section: &Section<'_>, color: usize, options: &Options) -> Option<Excerpt> {
    let frame = place(section.stack)?;
    let file = frame.file.as_deref()?;
    let source = options.sources.get(file);
    let lines = source.map_or_else(Vec::new, |source| lines(&source, frame));
    Some(Excerpt {
        label: clean(&section.heading),
        color,
        place: clean(&location(frame, options)),
        lines,
    })
}

fn lines(source: &Source, frame: &Frame) -> Vec<Line> {
    let Some(at) = frame.line.map(|line| line as usize) else {
        return Vec::new();
    };
    let begin = at.saturating_sub(CONTEXT).max(1);
    let shown: Vec<&str> = (begin..=at + CONTEXT)
        .map_while(|number| source.line(number))
        .collect();
    if begin + shown.len() <= at {
        // The file ends before the line: it is not the one that was compiled.
        return Vec::new();
    }
    (begin..)
        .zip(shown)
        .map(|(number, line)| {
            let line = &line[..line.floor_char_boundary(MAX_LINE)];
            let hit = number == at;
            let span = match hit {
                true => expression(line, frame.column),
                false => line.len()..line.len(),
            };
            Line {
                number,
                hit,
                before: visible(&line[..span.start]),
                marked: visible(&line[span.clone()]),
                after: visible(&line[span.end..]),
            }
        })
        .collect()
}

fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c != '\t' && is_unprintable(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// As a content security policy names a script.
fn script_hash() -> String {
    format!("sha256-{}", base64(&Sha256::digest(SCRIPT.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(group);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            out.push(match digit > chunk.len() {
                true => '=',
                false => char::from(DIGITS[index as usize]),
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_the_published_one() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
