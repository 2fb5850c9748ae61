//! Runtimes whose run is recorded: a trace that replays without its host.

use super::runtime::ThreadRuntime;
use crate::machine::{HostIo, MachineError};
use crate::model::Driven;
use crate::program::Program;
use crate::session::{Outcome, Recording, RunOptions, TraceOutput};
use crate::trace::{Detail, Header, ModuleHash, TraceWriter};
use std::io::{self, Write};

/// Why a run that is to be recorded does not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The program cannot be started.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The trace cannot be written.
    #[error("the trace cannot be written: {0}")]
    Trace(#[from] io::Error),
}

impl<Io: HostIo> ThreadRuntime<Io> {
    /// The same as [`ThreadRuntime::with_program`], and writes a trace of the run to `out`: what the host does, and when, is in it, as is the module, so
    /// that [`replay`](crate::replay) and `grind replay` need nothing else: no host, and no function of it but those that come in place of grind's
    /// own.
    /// [`finish`](ThreadRuntime::finish) completes the trace; that of a runtime which is dropped is truncated.
    ///
    /// # Errors
    /// [`RecordError`]. What cannot be written later is told by a warning of the [`Outcome`].
    pub fn record(
        program: &Program,
        options: RunOptions,
        io: Io,
        out: impl Write + Send + 'static,
    ) -> Result<ThreadRuntime<Io>, RecordError> {
        let writer = begin(program, &options, Driven::AsMainThread, Some(Box::new(out)))?;
        let recording = writer.map(Recording::new);
        Ok(ThreadRuntime::begin(program, options, io, recording)?)
    }
}

/// A trace that has nothing yet but the module, if there is to be one.
pub(super) fn begin(
    program: &Program,
    options: &RunOptions,
    driven: Driven,
    out: Option<TraceOutput>,
) -> io::Result<Option<TraceWriter<TraceOutput>>> {
    let Some(out) = out else { return Ok(None) };
    let module = program.original();
    let header = Header {
        grind: env!("CARGO_PKG_VERSION").to_owned(),
        module: Vec::new(),
        module_hash: ModuleHash::of(module),
        embedded: None,
        sites: 0,
        detail: Detail::Light,
        spec: options.spec.clone(),
        interceptors: program.rules().to_vec(),
        driven,
        fuel: options.fuel,
    };
    TraceWriter::create(out, &header, program.sites(), Some(&**module)).map(Some)
}

/// Writes the end of a trace to which nobody else writes any more.
pub(super) fn complete<Io>(recording: Recording, outcome: &mut Outcome<Io>) {
    let writer = recording.into_writer();
    end(writer.expect("nothing of a run outlives it"), outcome);
}

/// Writes the end of a trace.
pub(super) fn end<Io>(writer: TraceWriter<TraceOutput>, outcome: &mut Outcome<Io>) {
    let footer = outcome.footer(outcome.exit_code(), outcome.analysis.diagnoses.len());
    if let Err(error) = writer.finish(&footer) {
        let text = format!("the trace is not whole, for it could not be written: {error}");
        outcome.warnings.push(text);
    }
}
