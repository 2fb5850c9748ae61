//! WASI preview 1: guests in Rust, raw calls, attempts to escape, and that a run is repeated without
//! touching the host again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guests;
mod hosts;
mod replay;
mod stdin;
mod threads;
mod wild;

use grind_runtime::machine::BufferIo;
use grind_runtime::program::Program;
use grind_runtime::session::{self, Outcome, Preopen, RunOptions};
use std::path::{Path, PathBuf};

/// A guest of `test-programs/wasip1`.
fn guest(name: &str) -> Program {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs/wasip1/wasm");
    let wasm = std::fs::read(modules.join(name).with_extension("wasm")).unwrap();
    Program::new(&wasm).unwrap()
}

fn text(wat: &str) -> Program {
    Program::new(&wat::parse_str(wat).unwrap()).unwrap()
}

/// Lets the guest use `work` as `/work`.
fn options(work: &Path) -> RunOptions {
    let mut options = RunOptions::default();
    options.spec.args = vec![b"guest".to_vec()];
    options.directory(Preopen::open(work, "/work").unwrap())
}

fn run(program: &Program, options: RunOptions) -> Outcome<BufferIo> {
    session::run(program, options, BufferIo::default()).unwrap()
}

/// What the guest wrote, if it ended well.
fn output(outcome: &Outcome<BufferIo>) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(outcome.exit_code(), 0, "{}", text(&outcome.io.stderr));
    text(&outcome.io.stdout)
}

/// Names in a directory, sorted.
fn names(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().file_name().into())
        .collect();
    names.sort();
    names
}
