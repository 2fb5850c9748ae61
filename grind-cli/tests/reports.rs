//! Reports as files, their conversion, exit policies, baselines, many seeds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::detect::{Group, Severity};
use grind_runtime::model::{Schedule, ScheduleName};
use grind_runtime::report::{Finding, FindingKind, Kind, json};
use snapbox::cmd::{Command, OutputAssert};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs")
}

/// `grind` in the directory that guests' paths begin at.
fn grind(arguments: &[&str]) -> Command {
    Command::new(snapbox::cmd::cargo_bin!("grind"))
        .env_remove("NO_COLOR")
        .env_remove("GITHUB_STEP_SUMMARY")
        .current_dir(programs())
        .args(arguments)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn stderr(assert: &OutputAssert) -> String {
    text(&assert.get_output().stderr)
}

fn stdout(assert: &OutputAssert) -> String {
    text(&assert.get_output().stdout)
}

/// A directory, and paths of files in it.
struct Work(TempDir);

impl Work {
    fn new() -> Work {
        Work(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: &str) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The JSON report of a guest.
    fn result(&self, name: &str, guest: &str, more: &[&str]) -> String {
        let path = self.path(name);
        let target = format!("json={path}");
        let arguments = [&["run", "--quiet", "--report", &target], more, &[guest]].concat();
        let status = grind(&arguments).assert().get_output().status;
        assert!(status.code().is_some(), "{status}");
        path
    }
}

// ---- reports ---------------------------------------------------------------------------------------

#[test]
fn every_kind_goes_to_its_file() {
    let work = Work::new();
    let targets: Vec<String> = Kind::all()
        .map(|kind| format!("{}={}", kind.name(), work.path(kind.name())))
        .collect();
    let mut arguments = vec!["run"];
    for target in &targets {
        arguments.extend(["--report", target]);
    }
    arguments.push("wasm/race_counter.wasm");
    let assert = grind(&arguments).assert().code(66).stdout_eq("");
    assert!(stderr(&assert).starts_with("error: data race"));
    for kind in Kind::all() {
        let file = work.read(kind.name());
        assert!(file.contains("race"), "{}: {file}", kind.name());
        assert!(!file.contains('\x1b'), "{}", kind.name());
    }
    // Converting the stored one gives the same again.
    let stored = work.path("json");
    for kind in Kind::all() {
        let converted = grind(&["report", &stored, "--format", kind.name()])
            .assert()
            .code(0);
        assert_eq!(
            stdout(&converted),
            work.read(kind.name()),
            "{}",
            kind.name()
        );
        assert_eq!(stderr(&converted), "");
    }
}

#[test]
fn a_dash_prints_in_place_of_the_human_report() {
    let assert = grind(&["run", "--report", "github=-", "wasm/race_counter.wasm"])
        .assert()
        .code(66);
    let said = stderr(&assert);
    assert!(
        said.starts_with("::error file=src/bin/race_counter.rs,line="),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    let both = [
        "run",
        "--format",
        "human",
        "--report",
        "tsan=-",
        "wasm/race_counter.wasm",
    ];
    let said = stderr(&grind(&both).assert().code(66));
    assert!(
        said.contains("error: data race") && said.contains("WARNING: ThreadSanitizer"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_written_is_said_before_the_run() {
    let guest = "wasm/clean_arguments.wasm";
    for target in ["json=/nonexistent/r.json", "json=/"] {
        let assert = grind(&["run", "--report", target, guest])
            .assert()
            .stdout_eq("");
        let said = stderr(&assert);
        assert!(said.starts_with("grind: error: cannot write "), "{said}");
        assert_ne!(assert.get_output().status.code(), Some(0));
    }
    let work = Work::new();
    let target = format!("json={}", work.path("r"));
    let twice = ["run", "--report", &target, "--report", &target, guest];
    let said = stderr(&grind(&twice).assert().code(2).stdout_eq(""));
    assert!(said.contains("two reports would be written to"), "{said}");
}

#[test]
fn a_run_that_never_was_leaves_no_report_and_keeps_the_last_one() {
    let work = Work::new();
    let old = work.write("old.json", "the last one");
    for name in ["new.json", "old.json"] {
        let target = format!("json={}", work.path(name));
        grind(&["run", "--report", &target, "/nonexistent.wasm"])
            .assert()
            .code(127);
    }
    assert!(!Path::new(&work.path("new.json")).exists());
    assert_eq!(work.read("old.json"), "the last one");
    let target = format!("json={old}");
    grind(&["run", "--report", &target, "wasm/race_counter.wasm"])
        .assert()
        .code(66);
    assert!(json::from_str(&work.read("old.json")).is_ok());
}

#[test]
fn an_unknown_kind_lists_the_known_ones() {
    for arguments in [
        &["run", "--report", "xml=a", "a.wasm"][..],
        &["report", "--format", "xml", "a.json"],
    ] {
        let said = stderr(&grind(arguments).assert().code(2));
        assert!(said.contains("xml"), "{said}");
        for kind in Kind::all() {
            assert!(
                said.contains(kind.name()),
                "no `{}` in: {said}",
                kind.name()
            );
        }
    }
}

#[test]
fn paths_are_moved_in_every_report() {
    let work = Work::new();
    let stored = work.result("r.json", "wasm/race_counter.wasm", &[]);
    for kind in Kind::all() {
        let strip = [
            "report",
            &stored,
            "--format",
            kind.name(),
            "--strip-prefix",
            "src",
        ];
        let said = stdout(&grind(&strip).assert().code(0));
        assert!(
            said.contains("bin/race_counter.rs"),
            "{}: {said}",
            kind.name()
        );
        assert!(!said.contains("src/bin/race_counter.rs"), "{}", kind.name());
        let remap = [
            "report",
            &stored,
            "--format",
            kind.name(),
            "--remap",
            "src/bin=guests",
        ];
        let said = stdout(&grind(&remap).assert().code(0));
        assert!(
            said.contains("guests/race_counter.rs"),
            "{}: {said}",
            kind.name()
        );
    }
    // The source is found under its old name.
    let human = stdout(&grind(&["report", &stored, "--strip-prefix", "src"]).assert());
    assert!(human.contains("unsafe { *COUNTER.get() += 1 }"), "{human}");
    for bad in [&["--remap", "src"][..], &["--strip-prefix", ""]] {
        grind(&[&["report", &stored], bad].concat())
            .assert()
            .code(2);
    }
}

#[test]
fn sources_that_are_missing_are_named() {
    let work = Work::new();
    let stored = work.result("r.json", "wasm/race_counter.wasm", &[]);
    let elsewhere = grind(&["report", &stored]).current_dir(work.0.path());
    let said = stdout(&elsewhere.assert().code(0));
    // The module's directory is not known from here.
    assert!(
        said.contains("note: sources not found: src/bin/race_counter.rs; --source"),
        "{said}"
    );
    assert!(said.contains("--> src/bin/race_counter.rs:11:18"), "{said}");
    let programs = programs();
    let found = grind(&["report", &stored, "--source", programs.to_str().unwrap()]);
    let said = stdout(&found.current_dir(work.0.path()).assert().code(0));
    assert!(said.contains("unsafe { *COUNTER.get() += 1 }"), "{said}");
}

#[test]
fn a_step_of_github_gets_a_summary() {
    let work = Work::new();
    let summary = work.write("summary.md", "before\n");
    let run = ["run", "--report", "github=-", "wasm/race_counter.wasm"];
    grind(&run)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .assert()
        .code(66);
    let said = work.read("summary.md");
    assert!(
        said.starts_with("before\n## grind: 1 finding (1 data race)\n"),
        "{said}"
    );
    let run = ["run", "--report", "tsan=-", "wasm/race_counter.wasm"];
    grind(&run)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .assert()
        .code(66);
    assert_eq!(work.read("summary.md"), said);
    let run = ["run", "--report", "github=-", "wasm/clean_arguments.wasm"];
    let assert = grind(&run)
        .env("GITHUB_STEP_SUMMARY", "/nonexistent/s")
        .assert()
        .stdout_eq("");
    assert!(stderr(&assert).contains("GITHUB_STEP_SUMMARY"));
}

#[test]
fn what_is_no_stored_report_is_one_clear_error() {
    let work = Work::new();
    let stored = work.result("r.json", "wasm/race_counter.wasm", &[]);
    let newer = work
        .read("r.json")
        .replacen("\"schema\": 1", "\"schema\": 7", 1);
    for (content, words) in [
        ("", &["not a grind report"][..]),
        ("{\"a\": 1}", &["not a grind report", "schema"]),
        (
            &newer,
            &[
                "version 7",
                "version 1",
                "use the grind that wrote it (grind 0.",
            ],
        ),
    ] {
        let path = work.write("bad.json", content);
        let said = stderr(&grind(&["report", &path]).assert().code(126).stdout_eq(""));
        assert_eq!(said.lines().count(), 1, "{said}");
        for word in words {
            assert!(said.contains(word), "no `{word}` in: {said}");
        }
    }
    let said = stderr(
        &grind(&["report", &work.path("gone.json")])
            .assert()
            .code(127),
    );
    assert!(said.contains("gone.json: no such file"), "{said}");
    grind(&["report", "-"])
        .stdin(work.read("r.json"))
        .assert()
        .code(0);
    // A conversion only writes what was asked for.
    let target = format!("tsan={}", work.path("t"));
    grind(&["report", &stored, "--report", &target])
        .assert()
        .code(0)
        .stdout_eq("");
    // Nothing found is something to say, here.
    let clean = work.result("c.json", "wasm/norace_counter.wasm", &[]);
    let said = stdout(&grind(&["report", &clean]).assert().code(0));
    assert_eq!(said, "grind: no findings · seed 0 · guest exit code 0\n");
}

#[test]
fn the_documentation_lists_every_kind() {
    let guide = programs().join("../docs/reports.md");
    let guide = fs::read_to_string(guide).unwrap();
    for kind in Kind::all() {
        assert!(
            guide.contains(&format!("\n| `{}` | ", kind.name())),
            "{}",
            kind.name()
        );
    }
    for kind in FindingKind::ALL {
        let group = Group::ALL
            .iter()
            .find(|(group, _)| *group == kind.rule().group);
        let row = format!("\n| `{}` | ", group.unwrap().1);
        let row = guide.split(&row).nth(1).unwrap().lines().next().unwrap();
        assert!(row.contains(&format!("`{}`", kind.name())), "{row}");
        let level = match kind.rule().severity {
            Severity::Error => "error |",
            Severity::Warning => "warning |",
        };
        assert!(row.ends_with(level), "{row}");
    }
}

// ---- exit policy and baselines ---------------------------------------------------------------------

#[test]
fn fail_on_decides_which_findings_fail() {
    for (guest, fail_on, code) in [
        ("wasm/race_counter.wasm", "race", 66),
        ("wasm/race_counter.wasm", "data-race", 66),
        ("wasm/race_counter.wasm", "deadlock,misuse", 0),
        ("wasm/race_counter.wasm", "none", 0),
        ("wasm/deadlock_ab_ba.wasm", "deadlock", 66),
        ("wasm/deadlock_ab_ba.wasm", "race", 0),
        ("wasm/trap_in_thread.wasm", "none", 134),
    ] {
        let assert = grind(&["run", "--fail-on", fail_on, guest])
            .assert()
            .code(code);
        assert!(
            stderr(&assert).contains("error: "),
            "it is reported all the same"
        );
    }
    let said = stderr(
        &grind(&["run", "--fail-on", "rase", "a.wasm"])
            .assert()
            .code(2),
    );
    assert!(
        said.contains("did you mean `race`") && said.contains("lost-wakeup"),
        "{said}"
    );
}

const TWO_TRAPS: &str = r#"(module (import "env" "memory" (memory 1 1 shared))
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (func $first unreachable)
    (func $second unreachable)
    (func (export "thread_start") (param i32)
        (if (local.get 0) (then (call $first)) (else (call $second))))
    (func (export "_start")
        (drop (call $create (i32.const 0) (i32.const 0))) (drop (call $join (i32.load (i32.const 0))))
        (drop (call $create (i32.const 4) (i32.const 1))) (drop (call $join (i32.load (i32.const 4))))))"#;

#[test]
fn traps_are_findings_with_an_exit_code_of_their_own() {
    let work = Work::new();
    let guest = work.write("two.wat", TWO_TRAPS);
    // All of them, even where there is nothing but findings, and counted under many seeds.
    let quiet = stderr(&grind(&["run", "-q", &guest]).assert().code(134));
    assert_eq!(
        quiet.matches("trapped: wasm `unreachable`").count(),
        2,
        "{quiet}"
    );
    let seeds = ["run", "--seeds", "0..4", &guest];
    let said = stderr(&grind(&seeds).assert().code(134));
    assert_eq!(
        said.matches("by 4 schedules, first by seed 0").count(),
        2,
        "{said}"
    );
    assert!(said.contains("grind: 2 findings (2 traps)"), "{said}");
    // Whatever the findings are that fail, a trap does; a race makes more of it.
    for fail_on in ["all", "trap", "race", "none"] {
        let run = ["run", "--fail-on", fail_on, &guest];
        grind(&run).assert().code(134);
    }
    // Known, or suppressed, they leave the code to the guest, which returned.
    let result = work.result("r.json", &guest, &[]);
    let baseline = work.path("baseline.json");
    grind(&["baseline", "update", &baseline, &result])
        .assert()
        .code(0);
    let known = ["run", "--baseline", &baseline, &guest];
    let said = stderr(&grind(&known).assert().code(0));
    assert!(said.contains("2 known"), "{said}");
    let seeds = ["run", "--seeds", "0..4", "--baseline", &baseline, &guest];
    grind(&seeds).assert().code(0);
    let one = work.write("one.txt", "trap:^first$\n");
    let run = |suppressions: &str| grind(&["run", "--suppressions", suppressions, &guest]).assert();
    let said = stderr(&run(&one).code(134));
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
    run(&work.write("both.txt", "trap:first\ntrap:second\n")).code(0);
    // The line that suppresses it is the one that grind makes.
    let lines = ["run", "-q", "--gen-suppressions", &guest];
    let said = stderr(&grind(&lines).assert().code(134));
    assert!(said.ends_with("trap:^first$\ntrap:^second$\n"), "{said}");
    // The trap of the main thread is the end of the guest.
    let main = r#"(module (memory 1) (func $main (export "_start") unreachable))"#;
    let main = work.write("main.wat", main);
    let suppressed = work.write("main.txt", "trap:main\n");
    let run = ["run", "--suppressions", &suppressed, &main];
    grind(&run).assert().code(134);
    // A panic, which ends with the message, in the title.
    let said = stderr(
        &grind(&["run", "-q", "wasm/trap_in_thread.wasm"])
            .assert()
            .code(134),
    );
    let title = "trapped: panicked at src/bin/trap_in_thread.rs:9:9: out of paper";
    assert!(said.contains(title), "{said}");
}

#[test]
fn a_race_is_more_than_a_trap() {
    let both = r#"(module (import "env" "memory" (memory 1 1 shared))
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (func $bump (i32.store (i32.const 64) (i32.const 1)))
    (func (export "thread_start") (param i32) (call $bump) unreachable)
    (func (export "_start")
        (drop (call $create (i32.const 0) (i32.const 0)))
        (call $bump)
        (drop (call $join (i32.load (i32.const 0))))))"#;
    let work = Work::new();
    let guest = work.write("both.wat", both);
    for (fail_on, code) in [("all", 66), ("trap", 134), ("deadlock", 134)] {
        let run = ["run", "--fail-on", fail_on, &guest];
        let said = stderr(&grind(&run).assert().code(code));
        assert!(said.contains("(1 data race, 1 trap)"), "{said}");
    }
}

/// Threads that write to the same words; `lines` comes before the first function.
fn racing(lines: &str, other: &str) -> String {
    format!(
        r#"(module
        (import "env" "memory" (memory 1 1 shared))
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
        {lines}
        (func $bump
            (i32.store (i32.const 64) (i32.const 1)))
        (func $other
            {other})
        (func (export "thread_start") (param i32)
            (call $bump)
            (call $other))
        (func (export "_start")
            (drop (call $create (i32.const 16) (i32.const 0)))
            (call $bump)
            (call $other)
            (drop (call $join (i32.load (i32.const 16))))))"#
    )
}

#[test]
fn a_baseline_knows_what_was_there_and_nothing_else() {
    let work = Work::new();
    let before = work.write("app.wat", &racing("", "nop"));
    let result = work.result("r.json", &before, &[]);
    let baseline = work.path("baseline.json");
    let update = ["baseline", "update", &baseline, &result];
    let said = stdout(&grind(&update).assert().code(0));
    assert!(
        said.ends_with("baseline.json: 1 added, 0 removed, 0 kept\n"),
        "{said}"
    );
    let run = |path: &str| grind(&["run", "--baseline", &baseline, path]).assert();
    let said = stderr(&run(&before).code(0));
    assert!(
        !said.contains("error: data race") && said.contains("1 known"),
        "{said}"
    );

    // Unrelated lines move.
    let moved = racing(";; a comment\n\n\n(func $new nop)\n", "nop");
    run(&work.write("app.wat", &moved)).code(0);

    // Another bug.
    let worse = racing("", "(i32.store (i32.const 128) (i32.const 1))");
    let worse = work.write("app.wat", &worse);
    let said = stderr(&run(&worse).code(66));
    assert_eq!(said.matches("error: data race").count(), 1, "{said}");
    assert!(said.contains("$other") || said.contains("other"), "{said}");

    // It becomes known, and the first one is mended.
    let result = work.result("r.json", &worse, &[]);
    let update = ["baseline", "update", &baseline, &result];
    let said = stdout(&grind(&update).assert().code(0));
    assert!(said.ends_with("1 added, 0 removed, 1 kept\n"), "{said}");
    run(&worse).code(0);
    let result = work.result("r.json", "wasm/norace_counter.wasm", &[]);
    let update = ["baseline", "update", &baseline, &result];
    let said = stdout(&grind(&update).assert().code(0));
    assert!(said.ends_with("0 added, 2 removed, 0 kept\n"), "{said}");
    run(&worse).code(66);
}

#[test]
fn a_baseline_that_is_none_is_one_clear_error() {
    let work = Work::new();
    let run = |path: &str| {
        let assert = grind(&["run", "--baseline", path, "wasm/clean_arguments.wasm"]).assert();
        (
            assert.get_output().status.code(),
            stderr(&assert.stdout_eq("")),
        )
    };
    let (code, said) = run(&work.path("gone.json"));
    assert_eq!(code, Some(127));
    assert!(
        said.contains("cannot read the baseline") && said.contains("gone.json"),
        "{said}"
    );
    let (code, said) = run(&work.write("b.json", "{}"));
    assert_eq!(code, Some(126));
    assert!(said.contains("not a baseline of grind"), "{said}");
    let (_, said) = run(&work.write("b.json", r#"{"schema": 9, "findings": []}"#));
    assert!(
        said.contains("version 9") && said.contains("version 1") && said.contains("update"),
        "{said}"
    );
    // What is no baseline is not overwritten.
    let result = work.result("r.json", "wasm/race_counter.wasm", &[]);
    let notes = work.write("notes.txt", "mine");
    grind(&["baseline", "update", &notes, &result])
        .assert()
        .code(126);
    assert_eq!(work.read("notes.txt"), "mine");
    grind(&["baseline", "update", &work.path("b2.json")])
        .assert()
        .code(2);
}

// ---- many seeds ------------------------------------------------------------------------------------

#[test]
fn many_seeds_are_merged_and_do_not_depend_on_the_cores() {
    let of = |jobs: &str| {
        let run = [
            "run",
            "--format",
            "json",
            "--seeds",
            "3..11",
            "--jobs",
            jobs,
            "wasm/race_publish.wasm",
        ];
        let assert = grind(&run).assert().code(66).stdout_eq("");
        stderr(&assert)
    };
    let one = of("1");
    assert_eq!(one, of("4"));
    let report = json::from_str(&one).unwrap();
    let schedules = report.schedules.unwrap();
    let ends = (schedules.first, schedules.last, schedules.run);
    assert_eq!(ends, (named(3), named(10), 8));
    assert_eq!(report.schedule, None);
    let shows = |finding: &Finding, seed| {
        let shown = finding.schedules.as_ref();
        shown.is_some_and(|shown| shown.first == named(seed))
    };
    let first = (3..11)
        .find(|&seed| report.findings.iter().any(|f| shows(f, seed)))
        .unwrap();
    let command = format!("grind run --seed {first} wasm/race_publish.wasm");
    assert_eq!(report.reproduce, Some(command));
    for finding in &report.findings {
        assert!((3..11).any(|seed| shows(finding, seed)));
        let shown = finding.schedules.as_ref().unwrap().shown;
        assert!((1..=8).contains(&shown));
    }
    // What a seed shows alone, it has shown here.
    let alone = [
        "run",
        "--format",
        "json",
        "--seed",
        &first.to_string(),
        "wasm/race_publish.wasm",
    ];
    let alone = json::from_str(&stderr(&grind(&alone).assert().code(66))).unwrap();
    let all: Vec<_> = report.findings.iter().map(|f| f.fingerprint).collect();
    assert!(alone.findings.iter().all(|f| all.contains(&f.fingerprint)));
}

/// What a schedule of the usual strategy is called.
fn named(seed: u64) -> ScheduleName {
    Schedule::from(seed).name()
}

#[test]
fn many_seeds_say_how_many_showed_it() {
    let run = ["run", "--seeds", "0..=4", "wasm/race_counter.wasm"];
    let said = stderr(&grind(&run).assert().code(66));
    assert!(said.contains("by 5 schedules, first by seed 0"), "{said}");
    assert!(
        said.contains("· seed 0 to seed 4, 5 of 5 with findings ·"),
        "{said}"
    );
    assert!(
        said.ends_with("reproduce: grind run --seed 0 wasm/race_counter.wasm\n"),
        "{said}"
    );
    grind(&["run", "--seeds", "0..5", "wasm/norace_counter.wasm"])
        .assert()
        .code(0)
        .stderr_eq("");
    grind(&["run", "--seeds", "0..3", "wasm/clean_exit_code.wasm"])
        .assert()
        .code(3)
        .stderr_eq("");
    grind(&["run", "--seeds", "0..3", "wasm/trap_in_thread.wasm"])
        .assert()
        .code(134);
    let quick = [
        "run",
        "--format",
        "json",
        "--fail-fast",
        "--seeds",
        "2..1000000",
        "wasm/race_counter.wasm",
    ];
    let report = json::from_str(&stderr(&grind(&quick).assert().code(66))).unwrap();
    let schedules = report.schedules.unwrap();
    let ends = (schedules.first, schedules.last, schedules.run);
    assert_eq!(ends, (named(2), named(2), 1));
}

#[test]
fn every_seed_gets_the_same_input_and_the_first_prints() {
    // Reads 4 bytes and exits with the first, after printing.
    let guest = r#"(module
        (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\10\00\00\00\04\00\00\00")
        (func (export "_start")
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
            (if (i32.ne (i32.load (i32.const 16)) (i32.const 0x0a0a0a07)) (then unreachable))
            (call $exit (i32.load8_u (i32.const 16)))))"#;
    let work = Work::new();
    let path = work.write("app.wat", guest);
    let run = |input: &'static str| {
        grind(&["run", "--seeds", "0..6", &path])
            .stdin(input)
            .assert()
    };
    run("\x07\n\n\n").code(7).stdout_eq("\x07\n\n\n");
    run("x").code(134);
}

#[test]
fn ranges_without_a_seed_are_usage_errors() {
    for seeds in ["5..5", "9..=2", "7", "a..b"] {
        let assert = grind(&["run", "--seeds", seeds, "wasm/race_counter.wasm"]).assert();
        assert.code(2);
    }
    for arguments in [
        &["--seeds", "0..2", "--seed", "1"][..],
        &["--seeds", "0..2", "--trace"],
        &["--fail-fast"],
        &["--jobs", "2"],
        &["--seeds", "0..2", "--jobs", "0"],
    ] {
        let run = [&["run"], arguments, &["wasm/race_counter.wasm"]].concat();
        grind(&run).assert().code(2);
    }
    let said = stderr(
        &grind(&[
            "run",
            "--seeds",
            "0..9",
            "--invoke",
            "gone",
            "wasm/race_counter.wasm",
        ])
        .assert()
        .code(126),
    );
    assert_eq!(said.matches("grind: error").count(), 1, "{said}");
}

#[test]
fn each_seed_has_its_own_time() {
    let work = Work::new();
    let guest = r#"(module (func (export "_start") (loop $l (br $l))))"#;
    let path = work.write("app.wat", guest);
    let run = ["run", "--seeds", "0..3", "--max-steps", "100000", &path];
    let said = stderr(&grind(&run).assert().code(124));
    assert!(
        said.contains("the limit on steps was reached (--max-steps)"),
        "{said}"
    );
}
