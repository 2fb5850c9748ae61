//! Traces in the formats of other tools.
//!
//! | file | what |
//! |---|---|
//! | [`rapid`] | STD and RapidBin, of the race-prediction tools |
//! | [`import`] | these as traces of grind |
//! | [`jsonl`] | one JSON object per line |
//! | [`chrome`] | what Perfetto and `chrome://tracing` open |
//! | [`timeline`] | what a page draws |
//! | `parquet` | columns, with the feature of that name |

pub mod chrome;
pub mod import;
pub mod jsonl;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod rapid;
pub mod timeline;

use crate::predict::algorithms::ReadError;
use crate::predict::algorithms::rapid_bin::WriteError;
use crate::predict::translate::OfflineError;
use crate::trace::TraceError;
use std::io;

/// Why a trace could not be brought into another format, or from one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InteropError {
    /// The trace cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The trace cannot be translated.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// What is to be imported cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The format has no room for something.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The host could not write.
    #[error(transparent)]
    Io(#[from] io::Error),
}
