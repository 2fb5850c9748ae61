//! The machine-readable form, compared with `golden/report.json`.

use crate::support::{HANDLE_MISUSES, HEAP_MISUSES, MISUSES, Program, add, golden};
use grind_runtime::model::{Schedule, ThreadId};
use grind_runtime::program::symbols::SymbolSource;
use grind_runtime::report::human::{Options, render};
use grind_runtime::report::json::{JsonError, SCHEMA, from_str, to_string};
use grind_runtime::report::{FindingKind, GuestExit, ProgramInfo, Report};

/// One finding of every kind.
pub(crate) fn report() -> Report {
    let program = Program::new("race-names");
    let lines = Program::new("race-lines");
    let mut report = Report {
        program: ProgramInfo {
            module: "app.wasm".into(),
            arguments: vec!["--threads".into(), "4".into()],
            symbols: Some(SymbolSource::NameSection),
        },
        schedule: Some(Schedule::from(u64::MAX).name()),
        exit: Some(GuestExit::Trapped {
            thread: ThreadId(1),
            name: Some("left".into()),
            reason: "unreachable".into(),
            stack: program
                .symbolizer
                .frames(program.sites.get(program.load[0])),
        }),
        reproduce: Some("grind run --seed 18446744073709551615 app.wasm".into()),
        limits: vec!["64 threads".into()],
        warnings: vec!["a \"quoted\" \x1b[31mwarning\n\u{9b}\u{7f}\u{202e}\u{e0041}é🦀".into()],
        ..Report::default()
    };
    add(&mut report, lines.finding(lines.race(), 3));
    add(&mut report, program.finding(program.deadlock(), 1));
    add(&mut report, program.finding(program.lost_wakeup(), 1));
    add(&mut report, program.finding(program.inversion(), 1));
    add(&mut report, program.finding(program.trap(), 1));
    for misuse in HEAP_MISUSES {
        add(&mut report, program.finding(program.heap_misuse(misuse), 1));
    }
    for misuse in MISUSES {
        add(&mut report, program.finding(program.misuse(misuse), 1));
    }
    for misuse in HANDLE_MISUSES {
        add(
            &mut report,
            program.finding(program.handle_misuse(misuse), 1),
        );
    }
    add(&mut report, program.finding(program.leak(), 2));
    report
}

#[test]
fn as_documented() {
    let text = to_string(&report());
    // The version changes with each release, the format does not.
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version));
    golden(
        "report.json",
        &text.replace(&version, "\"version\": \"[VERSION]\""),
    );
}

#[test]
fn there_and_back() {
    let report = report();
    let text = to_string(&report);
    let back = from_str(&text).expect("it is a report");
    assert_eq!(back, report);
    assert_eq!(to_string(&back), text);
    assert!(
        text.starts_with("{\n  \"schema\": 1,\n  \"tool\""),
        "{text}"
    );
    // A stored report renders as a fresh one does.
    let options = Options::default();
    assert_eq!(render(&back, &options), render(&report, &options));
}

#[test]
fn no_control_character_in_the_text() {
    assert!(
        to_string(&report())
            .chars()
            .all(|c| c == '\n' || !c.is_control())
    );
}

#[test]
fn fields_of_later_minor_versions_are_ignored() {
    let text =
        to_string(&report()).replacen("\"schedule\"", "\"new_field\": [1, {}], \"schedule\"", 1);
    assert_eq!(from_str(&text).expect("it is a report"), report());
}

#[test]
fn another_version_is_named_with_its_writer() {
    let text = to_string(&report()).replacen("\"schema\": 1", "\"schema\": 99", 1);
    let error = from_str(&text).expect_err("version 99");
    assert!(matches!(error, JsonError::Version { found: 99, .. }));
    let message = error.to_string();
    assert!(message.contains("version 99") && message.contains(&format!("version {SCHEMA}")));
    assert!(message.contains("grind "), "{message}");
}

#[test]
fn what_is_no_report_is_refused() {
    let text = to_string(&report());
    for bad in [
        "",
        "{}",
        "[]",
        "null",
        "{\"schema\": \"1\"}",
        "{\"schema\": 1}",
        "\u{0}",
    ] {
        assert!(
            matches!(from_str(bad), Err(JsonError::Malformed(_))),
            "{bad}"
        );
    }
    for length in (0..text.len() - 2).step_by(7) {
        if text.is_char_boundary(length) {
            assert!(from_str(&text[..length]).is_err());
        }
    }
}

#[test]
fn kinds_have_stable_names() {
    let names = FindingKind::ALL.map(FindingKind::name);
    assert_eq!(
        names,
        [
            "data-race",
            "deadlock",
            "lost-wakeup",
            "trap",
            "lock-order-inversion",
            "heap-use-after-free",
            "double-free",
            "invalid-free",
            "unlock-not-held",
            "unlock-by-other-thread",
            "destroy-held-lock",
            "condvar-wait-without-lock",
            "condvar-two-locks",
            "use-after-destroy",
            "double-destroy",
            "destroy-in-use",
            "init-held-lock",
            "relock",
            "lock-held-at-thread-end",
            "double-join",
            "join-detached",
            "double-detach",
            "thread-leak"
        ]
    );
    for kind in FindingKind::ALL {
        assert_eq!(FindingKind::from_name(kind.name()), Some(kind));
        let json = serde_json::to_string(&kind).expect("a string");
        assert_eq!(json, format!("\"{}\"", kind.name()));
    }
    assert_eq!(FindingKind::from_name("Data-Race"), None);
}
