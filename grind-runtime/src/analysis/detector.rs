//! What a detector is.
//!
//! A detector is a file, a row in the [table](super::table), and, if what it finds is new, a row in [`kind`](super::kind). What it says is
//! a [`Note`](super::diagnosis::Note), unless it has a presentation of its own. What takes more than events and contexts, above all races
//! and deadlocks, is part of [`live`](super::live).

use super::context::Contexts;
use super::diagnosis::{Diagnosed, Diagnosis};
use super::limits::LimitNotice;
use crate::model::{Event, ThreadId};

/// An event, and what is known where it happens.
#[derive(Debug)]
pub(super) struct At<'a> {
    /// They have followed the event.
    pub(super) contexts: &'a Contexts,
    pub(super) event: &'a Event,
    /// It is of the inside of a lock or a library.
    pub(super) hidden: bool,
    /// In the stream.
    pub(super) position: u64,
}

/// The end of the stream.
#[derive(Debug)]
pub(super) struct End<'a> {
    pub(super) contexts: &'a Contexts,
    /// The guest was done: what it should have done by then and did not is wrong.
    pub(super) normally: bool,
    pub(super) position: u64,
}

/// What detectors have to say.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// With the position of the first occurrence.
    pub(super) found: Vec<(u64, Diagnosed)>,
    pub(super) limits: Vec<LimitNotice>,
    /// See [`AnalysisOutcome::running`](super::AnalysisOutcome::running).
    pub(super) running: Vec<ThreadId>,
}

/// Finds one kind of thing in the first pass over a stream.
pub(super) trait Detector: std::fmt::Debug + Send {
    /// One event.
    fn event(&mut self, at: &At<'_>);

    /// The run ended in this deadlock, which may explain what was found.
    fn deadlock(&mut self, deadlock: &Diagnosis) {
        let _ = deadlock;
    }

    /// Whether it has found something by now: then a run may be halted.
    fn found_any(&self) -> bool;

    /// Says all.
    fn finish(self: Box<Self>, end: &End<'_>, told: &mut Told);
}

/// Findings of one detector, each once with a count, in order of first occurrence.
#[derive(Debug, Default)]
pub(super) struct Found(Vec<(u64, Diagnosed)>);

impl Found {
    /// At most this many distinct ones are kept; others count towards nothing.
    const KEPT: usize = 1000;

    /// One more occurrence of what is the `same`, or something new.
    pub(super) fn add(
        &mut self,
        position: u64,
        same: impl Fn(&Diagnosis) -> bool,
        new: impl FnOnce() -> Diagnosis,
    ) {
        let known = self.0.iter_mut().find(|(_, known)| same(&known.diagnosis));
        if let Some((_, known)) = known {
            known.count += 1;
        } else if self.0.len() < Found::KEPT {
            let (diagnosis, count) = (new(), 1);
            self.0.push((position, Diagnosed { diagnosis, count }));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Diagnosis> {
        self.0.iter().map(|(_, found)| &found.diagnosis)
    }

    /// Those that are not taken back.
    pub(super) fn retain(&mut self, keep: impl Fn(&Diagnosis) -> bool) {
        self.0.retain(|(_, found)| keep(&found.diagnosis));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_list(self) -> Vec<(u64, Diagnosed)> {
        self.0
    }
}
