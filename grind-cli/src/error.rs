//! Which exit code an error of grind's own means.

use crate::say::Shown as _;
use grind_runtime::host::{ExitCode, ReplayError};
use grind_runtime::machine::MachineError;
use grind_runtime::program::ProgramError;
use grind_runtime::report::log;
use std::io;
use std::path::Path;

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

/// A module that is not the one the other files are of.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongModule(pub(crate) String);

/// # Errors
/// If what is written to `output` would destroy `input`, which is read meanwhile or afterwards.
pub(crate) fn keep(input: &Path, output: &Path) -> Result<(), Usage> {
    match (input.canonicalize(), output.canonicalize()) {
        (Ok(read), Ok(written)) if read == written => Err(Usage(format!(
            "{} would be written over, which is what is read: name another file",
            output.shown()
        ))),
        _ => Ok(()),
    }
}

/// What went wrong, with its causes. One that says no more than the end of what it caused is left out.
pub(crate) fn text(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(one) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// What one cause says. What is on one line stays there, whatever names of the module are in it.
pub(crate) fn one(cause: &(dyn std::error::Error + 'static)) -> String {
    let text = cause.to_string();
    let list = matches!(cause.downcast_ref(), Some(ProgramError::Imports(_)));
    match (cause.is::<ProgramError>() && !list) || cause.is::<MachineError>() {
        true => log::one_line(&text),
        false => log::plain(&text),
    }
}

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
        if cause.is::<ProgramError>() || cause.is::<wat::Error>() || cause.is::<WrongModule>() {
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
