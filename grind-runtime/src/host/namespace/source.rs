//! What a namespace is of.

use super::NamespaceError;
use super::functions::Functions;
use crate::program::{Program, ProgramOptions};
use std::fmt;
use std::fs;
use std::path::Path;

pub(super) enum Source {
    Wasm(Vec<u8>),
    Program(Program),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wasm = match self {
            Source::Wasm(wasm) => wasm,
            Source::Program(program) => &**program.original(),
        };
        write!(f, "{} bytes of wasm", wasm.len())
    }
}

impl Source {
    /// The only file that a namespace reads by itself.
    pub(super) fn read(path: &Path) -> Result<Source, NamespaceError> {
        let read = fs::read(path).map(Source::Wasm);
        read.map_err(|error| NamespaceError::Read {
            path: path.to_owned(),
            error,
        })
    }

    pub(super) fn program(&self, functions: Functions) -> Result<Program, NamespaceError> {
        Ok(match self {
            Source::Wasm(wasm) => {
                let options = ProgramOptions::default().imports(functions.into_imports()?);
                Program::with_options(wasm, options)?
            }
            Source::Program(program) if functions.is_empty() => program.clone(),
            Source::Program(program) => {
                let functions = functions.before(program.embedder());
                program.with_imports(functions.into_imports()?)?
            }
        })
    }
}
