//! What a detector is.
//!
//! A detector is a file, a row in the [table](crate::detect::table), and, if what it finds is new, a row in [`kind`](crate::detect::common::kind). What it says is
//! a [`Note`](crate::detect::common::diagnosis::Note), unless it has a presentation of its own. What takes more than events and contexts, above all races
//! and deadlocks, is part of [`live`](crate::detect::live).

use crate::detect::common::context::Contexts;
use crate::detect::common::diagnosis::{Diagnosed, Diagnosis};
use crate::detect::common::limits::LimitNotice;
use crate::model::{Event, ThreadId};

/// An event, and what is known where it happens.
#[derive(Debug)]
pub(in crate::detect) struct At<'a> {
    /// They have followed the event.
    pub(in crate::detect) contexts: &'a Contexts,
    pub(in crate::detect) event: &'a Event,
    /// It is of the inside of a lock or a library.
    pub(in crate::detect) hidden: bool,
    /// In the stream.
    pub(in crate::detect) position: u64,
}

/// The end of the stream.
#[derive(Debug)]
pub(in crate::detect) struct End<'a> {
    pub(in crate::detect) contexts: &'a Contexts,
    /// The guest was done: what it should have done by then and did not is wrong.
    pub(in crate::detect) normally: bool,
    pub(in crate::detect) position: u64,
}

/// What detectors have to say.
#[derive(Debug, Default)]
pub(in crate::detect) struct Results {
    /// With the position of the first occurrence.
    pub(in crate::detect) found: Vec<(u64, Diagnosed)>,
    pub(in crate::detect) limits: Vec<LimitNotice>,
    /// See [`AnalysisOutcome::running`](crate::detect::AnalysisOutcome::running).
    pub(in crate::detect) running: Vec<ThreadId>,
}

/// Finds one kind of thing in the first pass over a stream.
pub(in crate::detect) trait Detector: std::fmt::Debug + Send {
    /// One event; atomic accesses are left out, for they are many and mean nothing but order, which is not theirs.
    fn event(&mut self, at: &At<'_>);

    /// The run ended in this deadlock, which may explain what was found.
    fn deadlock(&mut self, deadlock: &Diagnosis) {
        let _ = deadlock;
    }

    /// Whether it has found something by now: then a run may be halted.
    fn found_any(&self) -> bool;

    /// Says all.
    fn finish(self: Box<Self>, end: &End<'_>, results: &mut Results);
}

/// Findings of one detector, each once with a count, in order of first occurrence.
#[derive(Debug, Default)]
pub(in crate::detect) struct Found(Vec<(u64, Diagnosed)>);

impl Found {
    /// At most this many distinct ones are kept; others count towards nothing.
    const KEPT: usize = 1000;

    /// One more occurrence of what is the `same`, or something new.
    pub(in crate::detect) fn add(
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

    pub(in crate::detect) fn iter(&self) -> impl Iterator<Item = &Diagnosis> {
        self.0.iter().map(|(_, found)| &found.diagnosis)
    }

    /// Those that are not taken back.
    pub(in crate::detect) fn retain(&mut self, keep: impl Fn(&Diagnosis) -> bool) {
        self.0.retain(|(_, found)| keep(&found.diagnosis));
    }

    pub(in crate::detect) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::detect) fn into_list(self) -> Vec<(u64, Diagnosed)> {
        self.0
    }
}
