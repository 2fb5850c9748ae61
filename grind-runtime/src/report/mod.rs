//! What a person reads, and what a machine reads: findings, and one renderer per file.
//!
//! Symbolise with [`Finding::from_diagnosis`], collect in a [`Report`], write it as some [`Kind`]. Nothing in here looks at the machine or the detectors: a stored report renders as a fresh one does.

pub mod baseline;
mod blocked;
mod build;
mod evidence;
pub mod finding;
pub mod fingerprint;
mod frames;
pub mod github;
pub mod history;
#[cfg(feature = "reports")]
mod html;
pub mod human;
pub mod identity;
pub mod json;
#[cfg(feature = "reports")]
mod junit;
mod kind;
mod limits;
pub mod log;
pub mod markdown;
pub mod merge;
pub(crate) mod notes;
mod options;
mod parts;
pub mod paths;
pub mod policy;
#[cfg(feature = "reports")]
mod sarif;
mod sections;
pub mod source;
pub mod summary;
pub mod suppress;
mod text;
pub mod timeline;
mod tsan;
mod visit;

pub use finding::{Finding, FindingKind};
pub use fingerprint::Fingerprint;
pub use kind::Kind;
pub use options::Options;
pub use summary::{Command, GuestExit, ProgramInfo, Report, Seeds, Suppressed};
