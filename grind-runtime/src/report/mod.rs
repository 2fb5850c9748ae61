//! What a person reads, and what a machine reads: findings, and one renderer per file.
//!
//! Symbolise with [`Finding::from_diagnosis`], collect in a [`Report`], write it as some [`Kind`]. Nothing in here looks at the machine or the detectors: a stored report renders as a fresh one does.
//!
//! | room | what |
//! |---|---|
//! | [`finding`] | what is found, with names, and what shows it; the summary of a run |
//! | [`filter`] | what is hidden, known, merged, and what makes a command fail |
//! | [`render`] | shapes: one a file, and the table of them |
//! | `text` | words of all of them |

pub mod filter;
pub mod finding;
pub mod render;
mod text;

pub use filter::{baseline, merge, policy, suppress};
pub use finding::summary::{
    Command, GuestExit, HowEnded, ProgramInfo, Report, Schedules, Suppressed,
};
pub use finding::{Finding, FindingKind, Fingerprint, fingerprint, history, identity, timeline};
pub use render::{Kind, Options, github, human, json, markdown, paths, source};
pub use text::log;
