//! Any bytes as a trace of grind, as STD and as RapidBin: an error with a cause, or a trace that reads; never a panic, and
//! no memory for numbers that nothing stands behind.
//!
//! `cargo +nightly fuzz run trace -- -max_len=65536`; `grind-runtime/tests/trace_files.rs` runs the corpus.

#![no_main]

#[path = "../read_trace.rs"]
mod read_trace;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    read_trace::read_trace(bytes);
});
