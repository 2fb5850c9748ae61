//! Traps are findings: each of them, with the message of the panic where there is one.

use crate::identity::merged;
use crate::symbols::wat_with_lines;
use grind_runtime::report::finding::Evidence;
use grind_runtime::report::{Finding, FindingKind, Kind, Options, Report};

const TWO: &str = r#"(module (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $c (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $j (param i32) (result i32)))
  (func (export "thread_start") (param $k i32) (if (local.get $k) (then (unreachable)) (else (drop (i32.div_u (i32.const 1) (i32.const 0))))))
  (func (export "_start")
    (drop (call $c (i32.const 0) (i32.const 0))) (drop (call $j (i32.load (i32.const 0))))
    (drop (call $c (i32.const 4) (i32.const 1))) (drop (call $j (i32.load (i32.const 4))))
    (drop (call $c (i32.const 4) (i32.const 1))) (drop (call $j (i32.load (i32.const 4))))))"#;

fn traps(report: &Report) -> Vec<&Finding> {
    let is_trap = |finding: &&Finding| finding.kind == FindingKind::Trap;
    report.findings.iter().filter(is_trap).collect()
}

#[test]
fn every_trap_is_told_with_its_count_and_its_seeds() {
    let binary = wat::parse_str(TWO).expect("the text is right");
    for report in [merged(&wat_with_lines(TWO)), merged(&binary)] {
        let found = traps(&report);
        let told: Vec<_> = (found.iter())
            .map(|finding| {
                (
                    finding.title.as_str(),
                    finding.count,
                    finding.schedules.as_ref().map(|s| s.shown),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("T1 trapped: integer divide by zero", 20, Some(20)),
                (
                    "T2 trapped: wasm `unreachable` instruction executed",
                    40,
                    Some(20)
                ),
            ]
        );
        for kind in Kind::all() {
            let text = kind.render(&report, &Options::default());
            let what = match kind {
                Kind::Tsan | Kind::Github => "T2: wasm `unreachable`",
                Kind::Markdown => "T2 trapped: wasm \\`unreachable\\`",
                Kind::Html => "T2 trapped: wasm `unreachable`",
                _ => "T2 trapped: wasm `unreachable`",
            };
            assert!(text.contains(what), "{}: {text}", kind.name());
        }
    }
}

/// A thread of WASI writes `text` in two pieces, another one first `before`, and then it traps.
fn writing(before: &str, text: &str, end: &str) -> Report {
    let (one, two) = text.split_at(text.len() / 2);
    let piece = |at: u32, text: &str| {
        let text = text.replace('\n', "\\n");
        format!("(data (i32.const {at}) \"{text}\")")
    };
    let say = |at: u32, text: &str| {
        format!(
            "(i32.store (i32.const 16) (i32.const {at})) (i32.store (i32.const 20) (i32.const {})) (drop (call $write (i32.const 2) (i32.const 16) (i32.const 1) (i32.const 24)))",
            text.len()
        )
    };
    let module = format!(
        r#"(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  {} {} {}
  (func (export "thread_start") (param i32) {} {} {end})
  (func (export "_start")
    {}
    (drop (call $create (i32.const 0) (i32.const 0)))
    (drop (call $join (i32.load (i32.const 0))))))"#,
        piece(1024, before),
        piece(2048, one),
        piece(4096, two),
        say(2048, one),
        say(4096, two),
        say(1024, before),
    );
    merged(&wat::parse_str(&module).expect("the text is right"))
}

fn message(report: &Report) -> Option<String> {
    let found = traps(report);
    let [finding] = &found[..] else {
        panic!("{:?}", report.findings)
    };
    match &finding.evidence {
        Evidence::Trap(trap) => trap.message.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_has_the_message_that_its_thread_wrote() {
    let said = "thread 'w' panicked at src/a.rs:1:2:\nout of paper";
    let report = writing("hello\n", &format!("{said}\n"), "unreachable");
    assert_eq!(message(&report).as_deref(), Some(said));
    assert_eq!(
        traps(&report)[0].title,
        "T1 trapped: panicked at src/a.rs:1:2: out of paper"
    );
    // What is not a panic's, what another thread wrote, and what does not end the thread.
    let ordinary = writing("hello\n", "all is well\n", "unreachable");
    assert_eq!(message(&ordinary), None);
    let others = writing(&format!("{said}\n"), "all is well\n", "unreachable");
    assert_eq!(message(&others), None);
    let elsewhere = writing("", &format!("{said}\n"), "(drop (i32.load (i32.const -4)))");
    assert_eq!(message(&elsewhere), None);
    let caught = writing("", &format!("{said}\n"), "");
    assert!(traps(&caught).is_empty());
}
