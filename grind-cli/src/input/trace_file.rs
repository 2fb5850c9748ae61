//! Opening traces, and finding the module that they are of.

use crate::output::error::{self, Unfit, Usage};
use crate::output::say::Shown as _;
use crate::process::bound::{Bound, BoundedFile, Gate, Stop};
use anyhow::{Context, Result};
use grind_runtime::program::Program;
use grind_runtime::session::TraceInput;
use grind_runtime::trace::{Header, ModuleHash, TraceEnd, TraceError, TraceReader};
#[cfg(unix)]
use std::ffi::OsStr;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// A trace that can be read as often as needed, within a bound.
pub(crate) struct TraceFile {
    path: PathBuf,
    bound: Bound,
    gate: Gate,
}

impl TraceFile {
    /// Names the file, and reads its beginning.
    pub(crate) fn open(path: &Path, bound: Bound) -> Result<(TraceFile, TraceReader<TraceInput>)> {
        error::is_file(path)?;
        let file = TraceFile {
            path: path.to_path_buf(),
            bound,
            gate: Gate::default(),
        };
        let reader = file.reader().with_context(|| path.shown())?;
        Ok((file, reader))
    }

    /// From its beginning to its end, or to where the bound is reached: as if the trace ended there.
    pub(crate) fn reader(&self) -> Result<TraceReader<TraceInput>, TraceError> {
        let (file, gate) = BoundedFile::new(File::open(&self.path)?, self.bound, &self.gate);
        let reader = TraceReader::open(Box::new(BufReader::new(file)) as TraceInput)?;
        // Without its beginning it would be none.
        gate.close_late();
        Ok(reader)
    }

    /// From its beginning to its end, for those who have a bound of their own.
    pub(crate) fn whole(&self) -> Result<TraceReader<TraceInput>, TraceError> {
        TraceReader::open(Box::new(BufReader::new(File::open(&self.path)?)) as TraceInput)
    }

    /// Why a reader ended before the trace did, if one did.
    pub(crate) fn stopped(&self) -> Option<Stop> {
        self.gate.stopped()
    }

    /// The exit code of a command that has read it and found nothing wrong.
    pub(crate) fn exit_code(&self) -> u8 {
        self.stopped().map_or(0, |stop| stop.exit_code().code())
    }

    /// A file that is there.
    pub(crate) fn at(path: &Path, bound: Bound) -> TraceFile {
        TraceFile {
            path: path.to_path_buf(),
            bound,
            gate: Gate::default(),
        }
    }

    /// Whether it ends in the middle of the run, for which it is read to its end.
    pub(crate) fn is_truncated(&self) -> Result<bool, TraceError> {
        let mut reader = self.reader()?;
        while reader.next_entry()?.is_some() {}
        Ok(matches!(reader.end(), Some(TraceEnd::Truncated)))
    }

    /// Bytes of the file.
    pub(crate) fn len(&self) -> u64 {
        self.path.metadata().map_or(0, |metadata| metadata.len())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// What a command on a trace reads, and must not write over.
pub(crate) fn inputs<'a>(trace: &'a Path, module: Option<&'a Path>) -> Vec<&'a Path> {
    [trace].into_iter().chain(module).collect()
}

/// The module that was named, or else the one that the trace says ran.
pub(crate) fn module(header: &Header, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| recorded(header), Path::to_path_buf)
}

/// The path that the trace has.
#[cfg(unix)]
fn recorded(header: &Header) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(OsStr::from_bytes(&header.module))
}

#[cfg(not(unix))]
fn recorded(header: &Header) -> PathBuf {
    PathBuf::from(&*String::from_utf8_lossy(&header.module))
}

/// The program of a trace: the module named, or the one in the trace, or the one that ran, if it is still there.
pub(crate) fn program(reader: &TraceReader<TraceInput>, named: Option<&Path>) -> Result<Program> {
    let header = reader.header();
    if header.module_hash == ModuleHash::of(b"") {
        let text = "the trace was imported: there is no program to run";
        return Err(Unfit(text.to_owned()).into());
    }
    let recorded = recorded(header);
    let wasm = match (named, reader.module()) {
        (Some(path), _) => crate::input::module::read(path)?,
        (None, Some(embedded)) => embedded.to_vec(),
        (None, None) if recorded.is_file() => crate::input::module::read(&recorded)?,
        (None, None) => {
            let recorded = recorded.shown();
            return Err(Usage(format!(
                "the module of the trace, {recorded}, is not there: name it with --module, or record with --embed-module"
            ))
            .into());
        }
    };
    Program::for_replay(&wasm, header.program_options())
        .with_context(|| named.unwrap_or(&recorded).shown())
}
