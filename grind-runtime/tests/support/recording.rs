//! Runs that are recorded in memory, for the suites that replay, cut or corrupt them.

use grind_runtime::machine::BufferIo;
use grind_runtime::model::Driven;
use grind_runtime::program::Program;
use grind_runtime::session::{self, Outcome, RunOptions, TraceInput};
use grind_runtime::trace::{Detail, Header, ModuleHash, TraceError, TraceReader, TraceWriter};
use std::error::Error;
use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};

/// A file in memory.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    /// What was written.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("one thread").clone()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("one thread").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a trace of such a run says.
pub(crate) fn header(program: &Program, options: &RunOptions, detail: Detail) -> Header {
    Header {
        grind: "0".to_owned(),
        module: b"guest".to_vec(),
        module_hash: ModuleHash::of(program.original()),
        embedded: None,
        sites: 0,
        detail,
        spec: options.spec.clone(),
        interceptors: Vec::new(),
        driven: Driven::ByNobody,
        fuel: options.fuel,
    }
}

/// Runs a program and records it.
pub(crate) fn record(
    program: &Program,
    options: &RunOptions,
    detail: Detail,
) -> Result<(Outcome<BufferIo>, Vec<u8>), Box<dyn Error>> {
    let file = Memory::default();
    let header = header(program, options, detail);
    let writer = TraceWriter::create(Box::new(file.clone()) as _, &header, program.sites(), None)?;
    let (outcome, writer) = session::record(program, options.clone(), BufferIo::default(), writer)?;
    let findings = outcome.analysis.diagnoses.len();
    writer.finish(&outcome.footer(outcome.exit_code(), findings))?;
    Ok((outcome, file.bytes()))
}

/// Reads a trace.
pub(crate) fn open(bytes: &[u8]) -> Result<TraceReader<TraceInput>, TraceError> {
    TraceReader::open(Box::new(Cursor::new(bytes.to_vec())) as TraceInput)
}
