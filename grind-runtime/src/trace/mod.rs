//! Trace files: a run on disk, to be run again, analysed, or read by other tools.
//!
//! `docs/trace-format.md` is the contract. A file has the schedule, every answer of the host, and every event with its
//! call stack, in the order in which they happened; with [`Detail::Full`], every plain access and call as well. It is
//! written in chunks as the run goes, so that a run that is killed leaves a file that reads up to its last whole
//! chunk.
//!
//! | file | what |
//! |---|---|
//! | `chunk` | framing, checksums |
//! | `frame` | compression |
//! | `entry` | what one thing that happened is as bytes |
//! | `regions` | the same for plain accesses and calls, predicted from earlier ones |
//! | `sites` | the site table |
//! | `stacks` | call stacks, followed and interned |
//! | `statistics` | what a trace has, counted |
//! | [`writer`], [`reader`] | the two ends |
//!
//! The reader believes nothing: lengths, checksums and numbers are checked before anything is allocated for them.

mod chunk;
mod entry;
mod frame;
mod known;
mod old_header;
pub mod reader;
mod regions;
mod schedule_file;
mod sites;
mod stacks;
mod statistics;
pub mod writer;

pub use entry::Entry;
pub use reader::{TraceEnd, TraceReader};
pub use schedule_file::{ScheduleFile, ScheduleFileError};
pub use statistics::{LockUse, Statistics, ThreadUse};
pub use writer::TraceWriter;

use crate::model::{Driven, RunSpec};
use crate::program::interceptors::Rule;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io;

/// How a trace begins.
pub const MAGIC: [u8; 8] = *b"GRINDTRC";

/// Version of the format: a reader takes files of its major version whose minor is not newer.
pub const VERSION: (u16, u16) = (1, 6);

/// SHA-256 of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleHash(pub [u8; 32]);

impl ModuleHash {
    /// The hash of this module.
    #[must_use]
    pub fn of(wasm: &[u8]) -> ModuleHash {
        ModuleHash(Sha256::digest(wasm).into())
    }
}

impl std::fmt::Display for ModuleHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How much a trace has of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    /// The schedule, the host's answers, and everything but plain accesses and calls. Of calls, the stack of each
    /// event is known.
    #[default]
    Light,
    /// Everything.
    Full,
}

/// What ran, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of grind that wrote the file.
    pub grind: String,
    /// Path of the module, as it was given, in the bytes of the host: it need not be text.
    pub module: Vec<u8>,
    /// Which module it was.
    pub module_hash: ModuleHash,
    /// Bytes of the module, if it is in the file.
    pub embedded: Option<u64>,
    /// How many sites it has.
    pub sites: u32,
    /// How much is in the file.
    pub detail: Detail,
    /// The run. A schedule of decisions is empty: the entries have it.
    pub spec: RunSpec,
    /// Functions that were intercepted besides those that are known.
    pub interceptors: Vec<Rule>,
    /// Who acted in it besides the guest. Before 1.4 this was not there, and nobody did.
    pub driven: Driven,
    /// Fuel given to a thread at a time, if it was not the usual one of a run that is driven so. The last field: before 1.6 this was not
    /// there, and the usual one was 10,000,000 in all.
    pub fuel: Option<u64>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// The exit code of grind.
    pub exit_code: u8,
    /// Words of records.
    pub words: u64,
    /// Events.
    pub events: u64,
    /// Threads created, the main thread included.
    pub threads: u32,
    /// Findings.
    pub findings: u64,
    /// Virtual nanoseconds that passed.
    pub nanoseconds: u64,
}

/// Why a file is not a trace that can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The host could not read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not begin as a trace does.
    #[error("not a grind trace")]
    NotATrace,
    /// It has a format of another version.
    #[error(
        "the trace has format {}.{}, this grind reads {}.{}; read it with the grind that wrote it, or record it again",
        found.0, found.1, VERSION.0, VERSION.1
    )]
    Version {
        /// Version of the file.
        found: (u16, u16),
    },
    /// It ends before what ran is known.
    #[error("the trace is truncated within its {0}")]
    Truncated(&'static str),
    /// A chunk is not what it says it is.
    #[error("the trace is corrupt at byte {offset}: {problem}")]
    Corrupt {
        /// Where the chunk begins.
        offset: u64,
        /// What is wrong.
        problem: &'static str,
    },
}
