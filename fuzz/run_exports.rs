//! A module's exports, run under the detector within small limits: the body of the fuzz target `run`, and of the test
//! that runs its corpus.

use arbitrary::Unstructured;
use grind_runtime::machine::BufferIo;
use grind_runtime::model::{Entry, Limits, RunSpec};
use grind_runtime::program::Program;
use grind_runtime::session::{self, RunOptions};

/// Exports that are tried.
const ENTRIES: usize = 4;

/// What wasm-smith makes of bytes that are no module.
fn generated(bytes: &[u8]) -> Option<Program> {
    let config = wasm_smith::Config {
        compact_imports_enabled: false,
        exceptions_enabled: false,
        export_everything: true,
        gc_enabled: false,
        max_imports: 0,
        memory64_enabled: false,
        wide_arithmetic_enabled: false,
        ..wasm_smith::Config::default()
    };
    let module = wasm_smith::Module::new(config, &mut Unstructured::new(bytes)).ok()?;
    Program::new(&module.to_bytes()).ok()
}

/// Runs some exports, and the default entry; says how many there were that could be started.
///
/// # Panics
/// If one ends in a defect of grind's own.
pub(crate) fn run_exports(bytes: &[u8]) -> usize {
    let Some(program) = Program::new(bytes).ok().or_else(|| generated(bytes)) else {
        return 0;
    };
    let named = program.info().exported_functions().take(ENTRIES);
    let functions = named.map(|name| Some(name.to_owned())).chain([None]);
    let runs = functions.filter(|function| {
        let options = RunOptions::from(
            RunSpec::default()
                .entry(Entry::default().function(function.clone()))
                .limits(
                    Limits::default()
                        .threads(8)
                        .memory(16 << 20)
                        .steps(Some(100_000)),
                ),
        );
        // A module that cannot be started is an error with a cause.
        let run = session::run(&program, options, BufferIo::default());
        if let Err(error) = &run {
            assert!(!error.to_string().contains("defect"), "{error}");
        }
        run.is_ok()
    });
    runs.count()
}
