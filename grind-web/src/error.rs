//! Why something could not be checked.

use grind_runtime::session::TreeError;
use grind_runtime::{MachineError, ProgramError, TraceError};

/// Why something could not be checked. Each has a code, by which scripts tell them apart.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// The options make no sense.
    #[error("{0}")]
    Options(String),
    /// The module cannot be run.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// It creates no threads.
    #[error(
        "the module has no threads: its memory is not shared, and it imports nothing that creates one ({}), so that nothing in it can race; \
         build it for a target with threads, as `wasm32-wasip1-threads`, or run it once all the same (`run`)", .0.join(", ")
    )]
    NoThreads(Vec<String>),
    /// The bytes are a trace, where a module was asked for.
    #[error("this is a trace of grind, not a module: `replay` takes it")]
    IsTrace,
    /// The program cannot be started.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The trace cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The trace has no module, and none was given.
    #[error(
        "the trace has no module in it: give its module too, or record it with the module embedded (`--embed-module`, `embedModule: true`)"
    )]
    NoModule,
    /// The trace was imported.
    #[error("the trace was imported from another tool's: there is no program to run")]
    Imported,
    /// The run was not that of the trace.
    #[error(transparent)]
    Replay(grind_runtime::session::ReplayError),
    /// It has come to its end, or failed before.
    #[error("this run is over")]
    Over,
}

impl WebError {
    /// What kind of error it is, in a word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        use grind_runtime::session::ReplayError as Replay;
        match self {
            WebError::Options(_) => "options",
            WebError::Program(_) | WebError::IsTrace => "module",
            WebError::NoThreads(_) => "no-threads",
            WebError::Machine(_) | WebError::Replay(Replay::Machine(_)) => "run",
            WebError::Trace(TraceError::Truncated(_))
            | WebError::Replay(Replay::Trace(TraceError::Truncated(_))) => "truncated",
            WebError::Trace(_) | WebError::Imported | WebError::Replay(Replay::Trace(_)) => "trace",
            WebError::NoModule => "no-module",
            WebError::Replay(Replay::Diverged(_)) => "diverged",
            WebError::Replay(_) => "other-module",
            WebError::Over => "over",
        }
    }
}

impl From<TreeError> for WebError {
    fn from(error: TreeError) -> WebError {
        WebError::Options(match error {
            TreeError::NoDirectory(path) => format!(
                "preopens: there is no directory {path:?} in `files`, which is all that guests can reach here: a file in it makes it, \
                 and an empty one is a path with a slash at its end"
            ),
            error => format!("files: {error}"),
        })
    }
}

impl From<grind_runtime::session::ReplayError> for WebError {
    fn from(error: grind_runtime::session::ReplayError) -> WebError {
        use grind_runtime::session::ReplayError as Replay;
        match error {
            Replay::Trace(error) => WebError::Trace(error),
            Replay::Machine(error) => WebError::Machine(error),
            error => WebError::Replay(error),
        }
    }
}
