//! Any module, and where the bytes are none the module that wasm-smith makes of them: its exports come to an end
//! without a panic.
//!
//! `cargo +nightly fuzz run run -- -max_len=4096 -timeout=20`; `grind-runtime/tests/bad_input.rs` runs the corpus.

#![no_main]

#[path = "../run_exports.rs"]
mod run_exports;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    run_exports::run_exports(bytes);
});
