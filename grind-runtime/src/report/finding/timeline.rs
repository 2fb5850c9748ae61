//! What threads did over the time of a run, for looking at.
//!
//! A report may have one; whoever reads a trace fills it. Everything is optional: lanes alone are a timeline. Times are positions in the
//! order of events, so that what happened first has the lower one.

use crate::model::ThreadId;
use crate::report::finding::fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};

/// A timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// What times count, in the plural: `events`.
    pub unit: String,
    /// Threads, in the order in which they are shown.
    pub lanes: Vec<Lane>,
    /// What took some time. In any order; those of one lane may be nested.
    pub slices: Vec<Slice>,
    /// What orders threads. An arrow ends no earlier than it begins.
    pub arrows: Vec<Arrow>,
    /// Points of interest.
    pub marks: Vec<Mark>,
    /// Slices and arrows that were left out, as there were too many.
    pub left_out: u64,
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    /// Which.
    pub thread: ThreadId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// When it began.
    pub begin: u64,
    /// When it ended, or the end of the run.
    pub end: u64,
}

/// What took a thread some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Which thread.
    pub thread: ThreadId,
    /// When it began.
    pub begin: u64,
    /// When it ended.
    pub end: u64,
    /// What it was.
    pub what: SliceKind,
    /// More about it: the name of the lock.
    pub text: String,
}

/// What a slice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SliceKind {
    /// The thread was scheduled.
    Run,
    /// It held a lock.
    Lock,
    /// It waited for a lock, a notification or another thread.
    Wait,
}

/// A moment of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Which thread.
    pub thread: ThreadId,
    /// When.
    pub at: u64,
}

/// What orders two moments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrow {
    /// The earlier one.
    pub from: Point,
    /// The later one.
    pub to: Point,
    /// What it was.
    pub what: ArrowKind,
    /// More about it.
    pub text: String,
}

/// What an arrow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ArrowKind {
    /// A thread was created.
    Spawn,
    /// A thread was joined.
    Join,
    /// A lock was handed on.
    Lock,
    /// A thread was notified.
    Notify,
    /// An atomic release was acquired.
    Atomic,
}

/// A moment that a finding names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Where.
    pub point: Point,
    /// Of which finding.
    pub finding: Fingerprint,
    /// Which of its accesses, from 1.
    pub number: u32,
    /// What happened: `write of 4 bytes`.
    pub text: String,
}
