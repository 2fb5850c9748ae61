//! Which exit code an error of grind's own means.

use crate::output::say::Shown as _;
use grind_runtime::interop::InteropError;
use grind_runtime::machine::MachineError;
use grind_runtime::predict::event::ReadError;
use grind_runtime::predict::translate::OfflineError;
use grind_runtime::program::ProgramError;
use grind_runtime::report::baseline::BaselineError;
use grind_runtime::report::json::JsonError;
use grind_runtime::report::log;
use grind_runtime::session::{ConfirmError, ExitCode, ReplayError};
use grind_runtime::trace::{ScheduleFileError, TraceError};
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

/// A named file is there and cannot be used as what it is named as: a directory, no text, not the module of a trace.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(pub(crate) String);

/// # Errors
/// If there is no file at this path, which was named to be read: [`NotFound`], or [`Unfit`] if it is a directory.
pub(crate) fn is_file(path: &Path) -> anyhow::Result<()> {
    let shown = || path.shown();
    match path.metadata() {
        Ok(about) if about.is_dir() => {
            Err(Unfit(format!("{}: this is a directory", shown())).into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(NotFound { path: shown() }.into())
        }
        // What else may be wrong shows when it is read.
        _ => Ok(()),
    }
}

/// What is wrong with the settings is the user's to mend, as with a command line.
pub(crate) fn of_settings(error: anyhow::Error) -> anyhow::Error {
    match exit_code(&error) {
        ExitCode::NotFound => error,
        _ => Usage(text(&error)).into(),
    }
}

/// # Errors
/// If `output` is no place for a file, or what is written there would destroy `input`, which is read meanwhile or afterwards.
pub(crate) fn keep(input: &Path, output: &Path) -> Result<(), Usage> {
    if output.is_dir() {
        return Err(Usage(format!(
            "cannot write {}: it is a directory",
            output.shown()
        )));
    }
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
    if error.chain().any(lacks_accesses) {
        text.push_str(": record with --trace=full, or replay with --trace=full");
    }
    text
}

/// Whether a trace is light where a full one is needed.
fn lacks_accesses(cause: &(dyn std::error::Error + 'static)) -> bool {
    let offline = match (cause.downcast_ref(), cause.downcast_ref()) {
        (Some(InteropError::Offline(error)), _) | (_, Some(ConfirmError::Offline(error))) => {
            Some(error)
        }
        _ => cause.downcast_ref(),
    };
    matches!(offline, Some(OfflineError::Light(_)))
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

/// Whether a named file is not what it is named as. That the host could not read it is something else.
fn is_unfit(cause: &(dyn std::error::Error + 'static)) -> bool {
    fn any<E: std::error::Error + 'static>(
        cause: &(dyn std::error::Error + 'static),
        unfit: impl Fn(&E) -> bool,
    ) -> bool {
        cause.downcast_ref().is_some_and(unfit)
    }
    let machine = |error: &MachineError| {
        use MachineError::{Directories, Engine, Scheduler};
        !matches!(error, Engine(_) | Directories { .. } | Scheduler { .. })
    };
    let trace = |error: &TraceError| !matches!(error, TraceError::Io(_));
    let read = |error: &ReadError| !matches!(error, ReadError::Io(_));
    let offline = |error: &OfflineError| match error {
        OfflineError::Trace(error) => trace(error),
        OfflineError::Read(error) => read(error),
        _ => true,
    };
    let replay = |error: &ReplayError| match error {
        ReplayError::Trace(error) => trace(error),
        ReplayError::Machine(error) => machine(error),
        ReplayError::Diverged(_) => false,
        _ => true,
    };
    cause.is::<Unfit>()
        || cause.is::<ProgramError>()
        || cause.is::<wat::Error>()
        || cause.is::<JsonError>()
        || cause.is::<ScheduleFileError>()
        || cause.is::<BaselineError>()
        || any(cause, machine)
        || any(cause, trace)
        || any(cause, read)
        || any(cause, offline)
        || any(cause, replay)
        || any(cause, |error: &InteropError| match error {
            InteropError::Trace(error) => trace(error),
            InteropError::Offline(error) => offline(error),
            InteropError::Read(error) => read(error),
            _ => false,
        })
        || any(cause, |error: &ConfirmError| match error {
            ConfirmError::Offline(error) => offline(error),
            ConfirmError::Replay(error) => replay(error),
            _ => false,
        })
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
        if let Some(ReplayError::Diverged(_)) = cause.downcast_ref() {
            return Some(ExitCode::Diverged);
        }
        is_unfit(cause).then_some(ExitCode::Unfit)
    })
    .or_else(|| {
        find(|cause| {
            let io = cause.downcast_ref::<io::Error>()?;
            (io.kind() == io::ErrorKind::NotFound).then_some(ExitCode::NotFound)
        })
    })
    .unwrap_or(ExitCode::Failure)
}
