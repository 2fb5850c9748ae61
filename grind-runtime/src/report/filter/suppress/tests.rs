use crate::model::ThreadId;
use crate::program::symbols::{SymbolSource, Variable};
use crate::report::filter::suppress::*;
use crate::report::finding::fingerprint::Fingerprint;
use crate::report::finding::{Access, AccessMeans, Creator, LockMisuse, Race, Thread};
use jiff::civil::date;

fn frame(function: &str, file: &str) -> Frame {
    Frame {
        function: Some(function.to_owned()),
        file: Some(file.to_owned()),
        line: Some(1),
        column: None,
        inlined: false,
        func_index: 0,
        offset: 0,
        source: SymbolSource::Dwarf,
    }
}

/// An unlock in `app::f`, called by `lib::g`, by a thread that `app::spawner` created.
fn report() -> Report {
    let finding = Finding {
        kind: FindingKind::UnlockNotHeld,
        fingerprint: Fingerprint(1),
        title: String::new(),
        count: 1,
        schedules: None,
        baseline: None,
        evidence: Evidence::LockMisuse(LockMisuse {
            object: None,
            address: 8,
            name: None,
            condvar: None,
            condvar_name: None,
            thread: ThreadId(1),
            stack: vec![
                frame("app::f", "src/app.rs"),
                frame("lib::g", "vendor/lib/src/g.rs"),
            ],
            holders: Vec::new(),
            related: Vec::new(),
        }),
        threads: vec![Thread {
            id: ThreadId(1),
            name: Some("worker".to_owned()),
            creator: Some(Creator {
                thread: ThreadId(0),
                name: None,
                stack: vec![frame("app::spawner", "src/app.rs")],
            }),
        }],
        prediction: None,
    };
    Report {
        findings: vec![finding],
        ..Report::default()
    }
}

fn given(text: &str) -> Suppressions {
    let (suppressions, bad) = parse_tsan(text, "file");
    assert_eq!(bad, []);
    Suppressions::new(suppressions, date(2026, 11, 20))
}

#[test]
fn a_suppression_needs_the_kind_and_the_pattern() {
    for (line, hides) in [
        ("mutex:app::f", true),
        ("mutex:^lib::g$", true),
        ("mutex:src/app.rs", true),
        ("mutex:app::spawner", false),
        ("race:app::f", false),
        ("deadlock:app::f", false),
        ("thread:worker", false),
        ("called_from_lib:vendor/lib", true),
        ("called_from_lib:src/app", false),
    ] {
        let mut report = report();
        let mut suppressions = given(line);
        suppressions.apply(&mut report);
        assert_eq!(report.findings.is_empty(), hides, "{line}");
        assert_eq!(suppressions.unused().count(), usize::from(!hides), "{line}");
        let noted = report
            .suppressed
            .first()
            .map(|one| (&*one.suppression, &*one.origin, one.findings));
        assert_eq!(noted, hides.then_some((line, "file:1", 1)));
    }
}

#[test]
fn an_expired_suppression_hides_nothing_and_says_so() {
    let entry = |until| Entry {
        kind: About::Mutex,
        pattern: "app".to_owned(),
        reason: "known".to_owned(),
        until: Some(until),
    };
    for (until, hides) in [(date(2026, 11, 20), true), (date(2026, 11, 19), false)] {
        let mut report = report();
        let one = Suppression::from_entry(&entry(until), "grind.toml", 1);
        let mut suppressions = Suppressions::new([one], date(2026, 11, 20));
        suppressions.apply(&mut report);
        assert_eq!(report.findings.is_empty(), hides);
        assert_eq!(report.warnings.len(), usize::from(!hides));
    }
}

#[test]
fn bad_lines_are_all_told_with_their_place() {
    let text = "# comment\n\nrace:ok\nrcae:x\n  mutex\nthread:\nsignal:x\nfoo:x\n";
    let (good, bad) = parse_tsan(text, "s.txt");
    assert_eq!(good.len(), 1);
    let bad: Vec<String> = bad.iter().map(ToString::to_string).collect();
    assert_eq!(
        bad,
        [
            "s.txt:4:1: unknown kind `rcae`; did you mean `race`?",
            "s.txt:5:8: expected `kind:pattern`, found no `:`",
            "s.txt:6:8: the pattern is empty, which would match all",
            "s.txt:8:1: unknown kind `foo`; known are race, race_top, deadlock, mutex, trap, thread, called_from_lib",
        ]
    );
}

#[test]
fn the_generated_line_suppresses_its_finding() {
    let mut report = report();
    let line = line_for(&report.findings[0]);
    assert_eq!(line.as_deref(), Some("mutex:^app::f$"));
    given(&line.unwrap_or_default()).apply(&mut report);
    assert!(report.findings.is_empty());
}

#[test]
fn those_built_in_are_never_unused() {
    let suppressions = Suppressions::new(builtin(), date(2026, 11, 20));
    assert_eq!(suppressions.unused().count(), 0);
}

#[test]
fn every_kind_is_suppressed_as_something() {
    for kind in FindingKind::ALL {
        let names = About::names().filter(|name| {
            let about = About::from_name(name).expect("a name");
            about.concerns(kind)
        });
        let by_kind: Vec<&str> = names
            .filter(|name| !["race_top", "called_from_lib"].contains(name))
            .collect();
        assert_eq!(by_kind, [kind.rule().suppression], "{}", kind.name());
    }
}

#[test]
fn a_race_is_known_by_its_variable() {
    let mut report = report();
    let finding = &mut report.findings[0];
    finding.kind = FindingKind::DataRace;
    finding.evidence = Evidence::Race(Race {
        address: 12,
        size: 4,
        accesses: [1, 2].map(|thread| Access {
            thread: ThreadId(thread),
            write: true,
            means: AccessMeans::Plain,
            address: 12,
            size: 4,
            stack: Vec::new(),
            locks: Vec::new(),
        }),
        heap_block: None,
        memory: Some(Memory::Global(Variable {
            name: "app::STATE".to_owned(),
            address: 8,
            size: Some(8),
        })),
        history: None,
    });
    for (line, left) in [
        ("race:^app::STATE$", 0),
        ("race:STATE", 0),
        ("race_top:STATE", 1),
        ("thread:STATE", 1),
        ("race:STATUS", 1),
    ] {
        let mut report = report.clone();
        given(line).apply(&mut report);
        assert_eq!(report.findings.len(), left, "{line}");
    }
}
