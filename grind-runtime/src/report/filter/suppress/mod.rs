//! Suppressions: findings that are known and not to be reported.
//!
//! Two forms mean the same: lines as in ThreadSanitizer's suppression files ([`parse_tsan`]), and entries with a
//! reason and an optional expiry ([`Entry`], for `grind.toml`). A small set is built in (`builtin`).
//!
//! A suppression has a kind, which says what findings it is about, and a pattern, which has to match
//! something in the finding. Every one counts what it hid, so that the unused can be found and removed.

mod builtin;
mod pattern;
mod tsan;

pub use builtin::builtin;
pub use pattern::Pattern;
pub use tsan::{BadLine, parse as parse_tsan};

use crate::program::symbols::Frame;
use crate::report::finding::frames::is_library;
use crate::report::finding::summary::{BUILT_IN, Report, Suppressed};
use crate::report::finding::{Evidence, Finding, FindingKind, Memory};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a suppression is about, by ThreadSanitizer's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Wrong accesses to memory: some frame of some stack matches.
    Race,
    /// The same, but the innermost frame of one of the two accesses matches.
    RaceTop,
    /// Deadlocks, lost wake-ups, inversions of lock order.
    Deadlock,
    /// Misuse of locks and condition variables.
    Mutex,
    /// Traps: some frame matches. grind's own; ThreadSanitizer has no such kind.
    Trap,
    /// Threads nobody joined: their name or a frame of their creation matches.
    Thread,
    /// Anything: a frame that is not the innermost has a source file that matches. (There are no libraries within
    /// a module, but each has files of its own.)
    CalledFromLib,
}

impl About {
    const ALL: [(About, &str); 7] = [
        (About::Race, "race"),
        (About::RaceTop, "race_top"),
        (About::Deadlock, "deadlock"),
        (About::Mutex, "mutex"),
        (About::Trap, "trap"),
        (About::Thread, "thread"),
        (About::CalledFromLib, "called_from_lib"),
    ];

    /// Its name in suppression files.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = About::ALL.iter().find(|&&(about, _)| about == self);
        found.map_or("", |&(_, name)| name)
    }

    /// What has this name in suppression files.
    #[must_use]
    pub fn from_name(name: &str) -> Option<About> {
        let found = About::ALL.iter().find(|&&(_, known)| known == name);
        found.map(|&(about, _)| about)
    }

    fn names() -> impl Iterator<Item = &'static str> {
        About::ALL.iter().map(|&(_, name)| name)
    }

    /// What a finding of this kind is suppressed as.
    fn of(kind: FindingKind) -> About {
        About::from_name(kind.rule().suppression).expect("a test holds that it is one")
    }

    fn concerns(self, kind: FindingKind) -> bool {
        match self {
            About::CalledFromLib => true,
            About::RaceTop => About::of(kind) == About::Race,
            about => About::of(kind) == about,
        }
    }
}

/// A suppression as a configuration file has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// What it is about.
    pub kind: About,
    /// What has to match.
    pub pattern: String,
    /// Why this may be. Not empty.
    pub reason: String,
    /// The last day on which it counts, as `2027-01-31`.
    #[serde(default)]
    pub until: Option<jiff::civil::Date>,
}

/// Where a suppression was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is built in.
    Builtin,
    /// A line, from 1, of a file.
    Line(String, usize),
    /// An entry, from 1, of a configuration file.
    Entry(String, usize),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Builtin => f.write_str(BUILT_IN),
            Origin::Line(file, line) => write!(f, "{file}:{line}"),
            Origin::Entry(file, number) => write!(f, "{file}: suppression {number}"),
        }
    }
}

/// One suppression.
#[derive(Clone, Debug)]
pub struct Suppression {
    /// What it is about.
    pub about: About,
    /// What has to match.
    pub pattern: Pattern,
    /// Why this may be, where somebody said.
    pub reason: Option<String>,
    /// The last day on which it counts.
    pub until: Option<jiff::civil::Date>,
    /// Where it was written.
    pub origin: Origin,
}

impl Suppression {
    /// An entry of a configuration file, the `number`th from 1.
    #[must_use]
    pub fn from_entry(entry: &Entry, file: &str, number: usize) -> Suppression {
        Suppression {
            about: entry.kind,
            pattern: Pattern::new(&entry.pattern),
            reason: Some(entry.reason.clone()),
            until: entry.until,
            origin: Origin::Entry(file.to_owned(), number),
        }
    }

    fn matches(&self, finding: &Finding) -> bool {
        if !self.about.concerns(finding.kind) {
            return false;
        }
        let stacks = finding.stacks();
        match self.about {
            About::RaceTop => stacks
                .iter()
                .filter_map(|stack| stack.first())
                .any(|frame| self.matches_frame(frame)),
            About::CalledFromLib => stacks
                .iter()
                .flat_map(|stack| stack.iter().skip(1))
                .filter_map(|frame| frame.file.as_deref())
                .any(|file| self.pattern.matches(file)),
            _ => {
                let blocks = match &finding.evidence {
                    Evidence::Race(race) => race.heap_block.as_ref(),
                    Evidence::HeapMisuse(misuse) => Some(&misuse.heap_block),
                    _ => None,
                };
                let created = finding.threads.iter().filter_map(|t| t.creator.as_ref());
                let more = (created.filter(|_| self.about == About::Thread))
                    .map(|creator| &*creator.stack)
                    .chain(blocks.map(|block| &*block.stack));
                let names = finding.threads.iter().filter_map(|t| t.name.as_deref());
                stacks
                    .iter()
                    .copied()
                    .chain(more)
                    .flatten()
                    .any(|frame| self.matches_frame(frame))
                    || self.about == About::Thread
                        && names.into_iter().any(|name| self.pattern.matches(name))
                    || variable(finding).is_some_and(|name| self.pattern.matches(name))
            }
        }
    }

    fn matches_frame(&self, frame: &Frame) -> bool {
        let names = [&frame.function, &frame.file];
        (names.into_iter().flatten()).any(|name| self.pattern.matches(name))
    }
}

/// The variable that a race is on, which ThreadSanitizer's patterns match as well.
fn variable(finding: &Finding) -> Option<&str> {
    let Evidence::Race(race) = &finding.evidence else {
        return None;
    };
    match &race.memory {
        Some(Memory::Global(global)) => Some(&global.name),
        _ => None,
    }
}

impl fmt::Display for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.about.name(), self.pattern)
    }
}

/// Suppressions that are in force, and what they hid so far.
#[derive(Clone, Debug, Default)]
pub struct Suppressions {
    all: Vec<(Suppression, u64)>,
    expired: Vec<Suppression>,
}

impl Suppressions {
    /// Those of the given ones that have not expired on `today`. The first that matches a finding counts.
    #[must_use]
    pub fn new(
        suppressions: impl IntoIterator<Item = Suppression>,
        today: jiff::civil::Date,
    ) -> Self {
        let in_force = |one: &Suppression| one.until.is_none_or(|until| today <= until);
        let (all, expired): (Vec<_>, Vec<_>) = suppressions.into_iter().partition(in_force);
        Suppressions {
            all: all.into_iter().map(|one| (one, 0)).collect(),
            expired,
        }
    }

    /// Takes the findings out of a report that are suppressed, and notes them there.
    pub fn apply(&mut self, report: &mut Report) {
        let mut hits = vec![0_u64; self.all.len()];
        report.findings.retain(|finding| {
            let found = self.all.iter().position(|(one, _)| one.matches(finding));
            if let Some(at) = found {
                hits[at] += 1;
            }
            found.is_none()
        });
        for ((one, total), hits) in self.all.iter_mut().zip(hits) {
            *total += hits;
            if hits > 0 {
                report.suppressed.push(Suppressed {
                    suppression: one.to_string(),
                    origin: one.origin.to_string(),
                    reason: one.reason.clone(),
                    findings: hits,
                });
            }
        }
        for one in &self.expired {
            report.warnings.push(format!(
                "the suppression {one} ({}) has expired and does not count any more",
                one.origin
            ));
        }
    }

    /// Those that the user wrote and that hid nothing.
    pub fn unused(&self) -> impl Iterator<Item = &Suppression> {
        self.all
            .iter()
            .filter(|(one, hits)| *hits == 0 && one.origin != Origin::Builtin)
            .map(|(one, _)| one)
    }
}

/// The line that suppresses a finding: its innermost frame that is of the guest's own code. None if there is none with a
/// name.
#[must_use]
pub fn line_for(finding: &Finding) -> Option<String> {
    let about = match About::of(finding.kind) {
        About::Race => About::RaceTop,
        about => about,
    };
    let stacks = finding.stacks();
    // A library's function is on top of too much else.
    let top = stacks
        .iter()
        .filter_map(|stack| stack.first())
        .filter(|frame| !is_library(frame))
        .find_map(|frame| frame.function.as_deref());
    if let Some(function) = top {
        // A `*` in it stands for itself as well.
        return Some(format!("{}:^{function}$", about.name()));
    }
    let any = stacks
        .iter()
        .copied()
        .flatten()
        .filter(|frame| !is_library(frame))
        .find_map(|frame| frame.function.as_deref());
    any.map(|function| format!("{}:^{function}$", About::of(finding.kind).name()))
}

#[cfg(test)]
mod tests;
