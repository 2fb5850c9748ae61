//! Tests of symbols and reports.
//!
//! Golden files are in `golden/`. To update them after a change that is meant: `BLESS=overwrite cargo test
//! -p grind-runtime --test report`, then read the difference. The modules in `fixtures/` are built by
//! `fixtures/build.sh`.

mod fingerprints;
mod hostile;
mod human;
mod identity;
mod json;
mod kinds;
mod memory;
mod schema;
mod support;
mod symbols;
mod traps;
