//! Any bytes: loading never panics, and what is lowered validates.
//!
//! `cargo +nightly fuzz run load -- -runs=100000`; the corpus is also a test, `grind-runtime/tests/bad_input.rs`.

#![no_main]

use grind_runtime::program::Program;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(program) = Program::new(bytes) {
        let lowered = wasmparser::validate(program.lowered()).map(drop);
        assert!(lowered.is_ok(), "{lowered:?}");
    }
});
