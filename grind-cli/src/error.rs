//! Which exit code an error of grind's own means.

use grind_runtime::host::{ExitCode, ReplayError};
use grind_runtime::machine::MachineError;
use grind_runtime::program::ProgramError;
use std::io;

/// A file or directory that the user named does not exist.
#[derive(Debug, thiserror::Error)]
#[error("{path}: no such file or directory")]
pub(crate) struct NotFound {
    pub(crate) path: String,
}

/// The command line makes no sense here, for reasons that clap cannot know.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// The exit code for an error that ended grind.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let find = |wanted: fn(&(dyn std::error::Error + 'static)) -> Option<ExitCode>| {
        error.chain().find_map(wanted)
    };
    find(|cause| {
        if cause.is::<NotFound>() {
            return Some(ExitCode::NotFound);
        }
        if cause.is::<Usage>() {
            return Some(ExitCode::Usage);
        }
        if cause.is::<ProgramError>() || cause.is::<wat::Error>() {
            return Some(ExitCode::InvalidModule);
        }
        if let Some(ReplayError::Diverged(_)) = cause.downcast_ref() {
            return Some(ExitCode::Diverged);
        }
        if let Some(ReplayError::OtherModule { .. } | ReplayError::OtherSites { .. }) =
            cause.downcast_ref()
        {
            return Some(ExitCode::InvalidModule);
        }
        match cause.downcast_ref::<MachineError>()? {
            MachineError::Engine(_) => Some(ExitCode::Failure),
            _ => Some(ExitCode::InvalidModule),
        }
    })
    .or_else(|| {
        find(|cause| {
            let io = cause.downcast_ref::<io::Error>()?;
            (io.kind() == io::ErrorKind::NotFound).then_some(ExitCode::NotFound)
        })
    })
    .unwrap_or(ExitCode::Failure)
}
