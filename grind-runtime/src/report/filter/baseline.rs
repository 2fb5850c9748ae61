//! Baselines: findings that were there before, so that only new ones make a run fail.
//!
//! A baseline is a small JSON file: `schema` (its version), `tool`, and `findings`, each with `fingerprint`, `kind`, `title` and `number`.
//! The number is how many findings of that fingerprint one run showed: two bugs in the same functions, reached in the same way, have
//! one fingerprint, and a third one is new. Only fingerprint and number count; kind and title are for the reader. The file is sorted,
//! so that its differences are small.

use crate::report::finding::fingerprint::Fingerprint;
use crate::report::finding::summary::Report;
use crate::report::finding::{BaselineState, FindingKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version that [`Baseline::to_text`] writes.
pub const SCHEMA: u32 = 1;

/// Findings that were there before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    entries: BTreeMap<Fingerprint, Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    fingerprint: Fingerprint,
    kind: FindingKind,
    title: String,
    number: u64,
}

/// What an update changed, in fingerprints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Added.
    pub added: usize,
    /// Not shown any more, and so removed.
    pub removed: usize,
    /// Kept.
    pub kept: usize,
}

/// A text that is no baseline we can read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// Not JSON, or not of this shape.
    #[error("not a baseline of grind: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A baseline of another version.
    #[error(
        "this baseline has format version {found}, but this grind reads version {SCHEMA}: \
         write it anew with `grind baseline update`"
    )]
    Version {
        /// The version found.
        found: u64,
    },
    /// The same fingerprint twice.
    #[error("the baseline has the fingerprint {0} twice")]
    Twice(Fingerprint),
}

#[derive(Serialize, Deserialize)]
struct File {
    schema: u64,
    #[serde(default)]
    tool: String,
    findings: Vec<Entry>,
}

impl Baseline {
    /// Reads what [`to_text`](Baseline::to_text) wrote.
    ///
    /// # Errors
    /// If it is no baseline, or one of another version.
    pub fn from_text(text: &str) -> Result<Baseline, BaselineError> {
        #[derive(Deserialize)]
        struct Head {
            schema: u64,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.schema != u64::from(SCHEMA) {
            return Err(BaselineError::Version { found: head.schema });
        }
        let file: File = serde_json::from_str(text)?;
        let mut entries = BTreeMap::new();
        for entry in file.findings {
            let fingerprint = entry.fingerprint;
            if entries.insert(fingerprint, entry).is_some() {
                return Err(BaselineError::Twice(fingerprint));
            }
        }
        Ok(Baseline { entries })
    }

    /// The baseline as JSON text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut findings: Vec<Entry> = self.entries.values().cloned().collect();
        findings.sort_by(|a, b| (a.kind, &a.fingerprint).cmp(&(b.kind, &b.fingerprint)));
        let file = File {
            schema: SCHEMA.into(),
            tool: format!("grind {}", env!("CARGO_PKG_VERSION")),
            findings,
        };
        let text = serde_json::to_string_pretty(&file)
            .expect("a baseline has string keys only and writes to memory");
        let mut text = crate::report::render::json::printable(&text);
        text.push('\n');
        text
    }

    /// How many fingerprints it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds what a report shows. Of several reports, the one with most findings of a fingerprint counts.
    pub fn add(&mut self, report: &Report) {
        let mut numbers: BTreeMap<Fingerprint, u64> = BTreeMap::new();
        for finding in &report.findings {
            let number = numbers.entry(finding.fingerprint).or_default();
            *number += 1;
            let entry = (self.entries)
                .entry(finding.fingerprint)
                .or_insert_with(|| Entry {
                    fingerprint: finding.fingerprint,
                    kind: finding.kind,
                    title: finding.title.clone(),
                    number: 0,
                });
            entry.number = entry.number.max(*number);
        }
    }

    /// Takes over the titles of an earlier baseline, which name addresses that vary.
    pub fn keep_titles(&mut self, earlier: &Baseline) {
        for (fingerprint, entry) in &mut self.entries {
            if let Some(known) = earlier.entries.get(fingerprint) {
                entry.title.clone_from(&known.title);
            }
        }
    }

    /// What turned the earlier baseline into this one.
    #[must_use]
    pub fn since(&self, earlier: &Baseline) -> Update {
        let kept = (self.entries.keys())
            .filter(|fingerprint| earlier.entries.contains_key(fingerprint))
            .count();
        Update {
            added: self.entries.len() - kept,
            removed: earlier.entries.len() - kept,
            kept,
        }
    }

    /// Says of each finding of a report whether it is known.
    pub fn apply(&self, report: &mut Report) {
        let mut numbers: BTreeMap<Fingerprint, u64> = BTreeMap::new();
        for finding in &mut report.findings {
            let number = numbers.entry(finding.fingerprint).or_default();
            *number += 1;
            let entry = self.entries.get(&finding.fingerprint);
            finding.baseline = Some(match entry {
                Some(entry) if *number <= entry.number => BaselineState::Known,
                _ => BaselineState::New,
            });
        }
    }
}
