//! Why a namespace does not run.

use crate::host::CallError;
use crate::machine::{ActError, MachineError};
use crate::program::ProgramError;
use crate::program::embedder::RoleTypes;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a namespace does not run, or not to its end. What the guest does is no error of it: that is in the [`Outcome`](crate::Outcome).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// The file cannot be read.
    #[error("the module {} cannot be read: {error}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The directory cannot be opened.
    #[error("the directory {} cannot be opened: {error}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The module cannot be run: it is none, or its imports are not given as it declares them.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A function is given as one type to the main thread and as another to others.
    #[error(transparent)]
    Types(#[from] RoleTypes),
    /// The trace of the run cannot be written. What cannot be written later is a warning of the [`Outcome`](crate::Outcome).
    #[error("the trace cannot be written: {0}")]
    Trace(#[from] io::Error),
    /// It cannot be started: among others, its entry does not exist or takes arguments.
    #[error(transparent)]
    Machine(Arc<MachineError>),
    /// A function of the guest did not return: `_initialize`, or the entry.
    #[error(transparent)]
    Call(CallError),
}

impl From<MachineError> for NamespaceError {
    fn from(error: MachineError) -> NamespaceError {
        NamespaceError::Machine(Arc::new(error))
    }
}

impl From<CallError> for NamespaceError {
    fn from(error: CallError) -> NamespaceError {
        NamespaceError::Call(error)
    }
}

impl From<ActError> for NamespaceError {
    fn from(error: ActError) -> NamespaceError {
        NamespaceError::Call(error.into())
    }
}
