//! Generated programs with threads under tiny fuel, against the same with plenty.
//!
//! `cargo +nightly fuzz run fuel -- -max_len=400 -timeout=20`; `grind-runtime/tests/fuel.rs` runs fixed inputs.

#![no_main]

#[path = "../fuel.rs"]
mod fuel;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuel::compare(bytes);
});
