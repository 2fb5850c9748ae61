//! docs/example is a crate as others are: what its pages say of it holds.

use crate::pages::{self, Place, Source, normal, read, text};

/// The crate, in the directory that the page speaks of.
pub(crate) const FILES: &[(&str, Source)] = &[("", Source::Copy("docs/example"))];

/// How the page's commands end: the crate is mended on the way.
pub(crate) const ENDS: &[(&str, i32)] = &[("cargo grind run --report", 66), ("grind run", 66)];

#[test]
fn its_report_is_what_grind_prints() {
    let place = Place::new(FILES);
    let shown = read("docs/example/report.txt");
    let output = place.shell("cargo grind run --report human=report.txt");
    if !pages::target_is_installed() {
        return pages::holds_what_is_missing(&output);
    }
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(66), "{said}");
    let report = std::fs::read_to_string(place.path().join("report.txt")).unwrap();
    assert_eq!(normal(&report), normal(&shown));
    // What is printed is the same, after what cargo says.
    assert!(said.ends_with(&report), "{said}");
    // The mended twin is silent, and its own tests pass both times: they do not show the race.
    assert!(
        said.contains("data race") && report.contains("src/lib.rs"),
        "{said}"
    );
}

#[test]
fn its_own_tests_pass_natively_with_the_race_and_without() {
    let place = Place::new(FILES);
    for command in [
        "cargo test --lib",
        "git apply mend.patch && cargo test --lib",
    ] {
        let output = place.shell(command);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("2 passed"));
    }
}
