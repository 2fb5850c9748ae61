//! The invariants of `docs/ARCHITECTURE.md` that can be read off the sources.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

/// Sources below `src/`, without their comments.
fn code(directory: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join(directory);
    let found: Vec<_> = sources(&root)
        .into_iter()
        .map(|(path, text)| {
            let lines = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            (path, lines.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    assert!(!found.is_empty(), "no sources in {directory}");
    found
}

/// Files below `directory` that contain any of `words`, except those whose path contains `exception`.
fn offenders(directory: &str, words: &[&str], exception: Option<&str>) -> Vec<String> {
    code(directory)
        .into_iter()
        .filter(|(path, _)| {
            exception.is_none_or(|exception| !path.to_string_lossy().contains(exception))
        })
        .filter_map(|(path, text)| {
            let word = words.iter().find(|word| text.contains(**word))?;
            Some(format!("{} has `{word}`", path.display()))
        })
        .collect()
}

#[test]
fn analysis_cannot_tell_a_live_run_from_a_file() {
    assert_eq!(
        offenders("analysis", &["crate::machine", "crate::host"], None),
        [""; 0]
    );
}

#[test]
fn the_machine_does_not_know_who_listens() {
    let words = ["crate::analysis", "crate::report", "crate::host"];
    assert_eq!(offenders("machine", &words, None), [""; 0]);
}

#[test]
fn schedulers_know_nothing_of_wasm() {
    let words = [
        "crate::machine",
        "crate::program",
        "crate::analysis",
        "crate::report",
        "wasm",
    ];
    assert_eq!(offenders("schedule", &words, None), [""; 0]);
}

#[test]
fn the_words_stand_alone() {
    let others = [
        "crate::analysis",
        "crate::host",
        "crate::interop",
        "crate::machine",
        "crate::offline",
        "crate::predict",
        "crate::program",
        "crate::report",
        "crate::schedule",
        "crate::trace",
    ];
    assert_eq!(offenders("model", &others, None), [""; 0]);
}

#[test]
fn predictions_stand_alone() {
    let own = offenders("predict", &["crate::"], None);
    assert_eq!(own, [""; 0]);
}

#[test]
fn only_the_engine_names_wasmi() {
    assert_eq!(offenders("", &["wasmi::"], Some("machine/engine")), [""; 0]);
    assert!(
        !offenders("machine", &["wasmi::"], None).is_empty(),
        "the test looks for the wrong word"
    );
}

#[test]
fn a_run_asks_the_host_for_nothing() {
    let words = [
        "std::time",
        "Instant::now",
        "SystemTime",
        "std::env",
        "std::fs",
        "getrandom",
    ];
    for directory in [
        "model", "machine", "schedule", "program", "analysis", "trace", "host", "predict",
    ] {
        // Its answers are recorded.
        assert_eq!(offenders(directory, &words, Some("host/files.rs")), [""; 0]);
    }
}

#[test]
fn no_map_with_a_random_order_is_used() {
    let words = [
        "std::collections::HashMap",
        "std::collections::HashSet",
        "RandomState",
        "DefaultHasher",
    ];
    assert_eq!(offenders("", &words, None), [""; 0]);
}
