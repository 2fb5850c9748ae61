//! Any bytes as a trace, or as one of the formats that are imported: the body of the fuzz target `trace`, and of the test
//! that runs its corpus.

use grind_runtime::interop::{import, jsonl};
use grind_runtime::predict::translate::{self, Analysis, Bounds};
use grind_runtime::predict::{Extensions, RapidBinReader, StdReader};
use grind_runtime::trace::TraceReader;
use std::io::{self, Cursor};
use std::ops::ControlFlow;

/// Bytes that an analysis may remember.
const MEMORY: u64 = 64 << 20;

/// Reads the bytes in every way there is, and says how many ways read something.
///
/// # Panics
/// If an import makes a trace that does not read.
pub(crate) fn read_trace(bytes: &[u8]) -> usize {
    let mut ways = 0;
    if let Ok(reader) = TraceReader::open(bytes) {
        ways += usize::from(jsonl::write(reader, io::sink()).is_ok());
        let open = || TraceReader::open(bytes);
        let go_on = |_| ControlFlow::Continue(());
        // Few bytes can stand for a lot of memory.
        let bounds = Bounds::default().memory(Some(MEMORY));
        ways += usize::from(translate::observe(open, &bounds, go_on).is_ok());
        ways += usize::from(translate::analyze(open, &Analysis::ALL, &bounds, go_on).is_ok());
    }
    for extensions in [Extensions::Off, Extensions::On] {
        let mut out = Vec::new();
        let open = || Ok(StdReader::new(bytes, extensions));
        if import::import("fuzz", open, |_, _, _| None, &mut out).is_ok() {
            ways += 1;
            read_back(&out);
        }
    }
    let mut out = Vec::new();
    let open = || Ok(RapidBinReader::new(Cursor::new(bytes))?);
    if import::import("fuzz", open, |_, _, _| None, &mut out).is_ok() {
        ways += 1;
        read_back(&out);
    }
    ways
}

fn read_back(trace: &[u8]) {
    let reader = TraceReader::open(trace).expect("what was written reads");
    jsonl::write(reader, io::sink()).expect("what was written reads");
}
