//! What a user says of findings and functions: suppression files, `grind.toml`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use snapbox::cmd::{Command, OutputAssert};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// `grind run` of a guest with a race in its function `count`, in a directory with these files.
fn run(files: &[(&str, &str)], arguments: &[&str]) -> (OutputAssert, String) {
    let directory = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let assert = Command::new(snapbox::cmd::cargo_bin!("grind"))
        .current_dir(directory.path())
        .arg("run")
        .args(arguments)
        .arg(guest())
        .assert();
    let stderr = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    (assert, stderr)
}

fn guest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs/wasm/race_counter.wasm")
}

#[test]
fn a_suppressed_finding_is_no_finding() {
    let file = ("s.txt", "# known\nrace:^count$\n");
    let (assert, stderr) = run(&[file], &["--suppressions", "s.txt"]);
    assert.code(0);
    // Nor is it silent, but for who wants that.
    assert!(
        stderr.starts_with("grind: no findings · ") && stderr.ends_with(" · 1 suppressed\n"),
        "{stderr}"
    );
    let (assert, stderr) = run(&[file], &["-q", "--suppressions", "s.txt"]);
    assert.code(0);
    assert_eq!(stderr, "");
    let (assert, stderr) = run(&[file], &["--suppressions", "s.txt", "--format", "json"]);
    assert.code(0);
    assert!(
        stderr.contains(r#""suppression": "race:^count$""#)
            && stderr.contains(r#""origin": "s.txt:2""#),
        "{stderr}"
    );
}

#[test]
fn a_suppression_of_something_else_hides_nothing() {
    let file = ("s.txt", "race:no_such_function\ndeadlock:count\n");
    let (assert, _) = run(&[file], &["--suppressions", "s.txt"]);
    assert.code(66);
    let deny = ["--suppressions", "s.txt", "--deny-unused-suppressions"];
    let (assert, stderr) = run(&[file], &deny);
    assert.code(2);
    assert!(
        stderr.ends_with(
            "grind: error: suppressions that hid nothing:\n  s.txt:1: race:no_such_function\n  s.txt:2: deadlock:count\n"
        ),
        "{stderr}"
    );
}

#[test]
fn lines_that_cannot_be_read_end_it_before_the_run() {
    let file = ("s.txt", "rcae:count\nrace:count\nrace\n");
    let (assert, stderr) = run(&[file], &["--suppressions", "s.txt"]);
    assert.code(2);
    assert_eq!(
        stderr,
        "grind: error: suppressions that cannot be read:\n  s.txt:1:1: unknown kind `rcae`; did you mean `race`?\n  \
         s.txt:3:5: expected `kind:pattern`, found no `:`\n"
    );
    run(&[], &["--suppressions", "none.txt"]).0.code(127);
}

#[test]
fn generated_lines_suppress_what_was_found() {
    let (assert, stderr) = run(&[], &["--gen-suppressions"]);
    assert.code(66);
    let lines: String = stderr
        .lines()
        .filter(|line| line.starts_with("race_top:"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(!lines.is_empty(), "{stderr}");
    let (assert, stderr) = run(&[("s.txt", &lines)], &["--suppressions", "s.txt"]);
    assert.code(0);
    assert!(stderr.contains("no findings"), "{stderr}");
}

#[test]
fn grind_toml_is_found_and_its_entries_have_reasons() {
    let entry = |until: &str| {
        format!(
            "[[suppression]]\nkind = \"race\"\npattern = \"count\"\nreason = \"known\"\n{until}"
        )
    };
    let (assert, _) = run(&[("grind.toml", &entry(""))], &[]);
    assert.code(0);
    let (assert, stderr) = run(&[("grind.toml", &entry("until = \"2020-01-01\"\n"))], &[]);
    assert.code(66);
    assert!(stderr.contains("has expired"), "{stderr}");
    let nameless = "[[suppression]]\nkind = \"race\"\npattern = \"count\"\nreason = \" \"\n";
    let (assert, stderr) = run(&[("grind.toml", nameless)], &[]);
    assert.code(2);
    assert!(
        stderr.contains("suppression 1: the reason is empty"),
        "{stderr}"
    );
    // A misspelt table hides nothing, and says so.
    let unknown = "[[supression]]\nkind = \"race\"\n";
    let (assert, stderr) = run(&[("c.toml", unknown)], &["--config", "c.toml"]);
    assert.code(66);
    let warning = "c.toml: unknown key `supression`; did you mean `suppression`?";
    assert_eq!(stderr.matches(warning).count(), 1, "{stderr}");
    // Within an entry nothing is overlooked.
    let unknown = entry("untill = \"2020-01-01\"\n");
    let (assert, stderr) = run(&[("c.toml", &unknown)], &["--config", "c.toml"]);
    assert.code(2);
    assert!(
        stderr.contains("untill") && stderr.contains("c.toml"),
        "{stderr}"
    );
}

#[test]
fn a_file_does_not_hide_in_silence() {
    let hides = "quiet = true\n[[suppression]]\nkind = \"race\"\npattern = \"*\"\nreason = \"x\"\n";
    let (assert, stderr) = run(&[("grind.toml", hides)], &[]);
    assert.code(0);
    assert!(
        stderr.ends_with("grind.toml sets quiet = true, 1 suppression\n"),
        "{stderr}"
    );
    // Nor by a list of what is known, or below the top.
    let baseline = r#"{"schema": 1, "findings": []}"#;
    let (assert, stderr) = run(
        &[
            ("grind.toml", "quiet = true\nbaseline = \"b.json\"\n"),
            ("b.json", baseline),
        ],
        &[],
    );
    assert.code(66);
    assert!(stderr.contains("sets baseline = b.json"), "{stderr}");
    let (assert, stderr) = run(&[("grind.toml", hides)], &["--trust-config"]);
    assert.code(0);
    assert_eq!(stderr, "");
    let (assert, stderr) = run(&[("grind.toml", "quiet = true\n")], &["--no-detect"]);
    assert.code(0);
    assert_eq!(stderr, "");
}

#[test]
fn a_users_interceptor_hides_a_function() {
    let rule = |role: &str| {
        format!("[[interceptor]]\nfunction = \"race_counter::count*\"\nrole = {role}\n")
    };
    let count = r#"(module
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
        (import "env" "memory" (memory 1 1 shared))
        (func $count (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1))))
        (func (export "thread_start") (param i32) (call $count))
        (func (export "_start")
            (drop (call $create (i32.const 0) (i32.const 0)))
            (drop (call $create (i32.const 4) (i32.const 0)))
            (drop (call $join (i32.load (i32.const 0))))
            (drop (call $join (i32.load (i32.const 4))))))"#;
    for (function, code) in [("count", 0), ("*", 0), ("other", 66)] {
        let directory = TempDir::new().unwrap();
        let text = rule("{ hide = {} }").replace("race_counter::count*", function);
        fs::write(directory.path().join("grind.toml"), text).unwrap();
        fs::write(directory.path().join("guest.wat"), count).unwrap();
        let run = |arguments: &[&str]| {
            let assert = Command::new(snapbox::cmd::cargo_bin!("grind"))
                .current_dir(directory.path())
                .args(arguments)
                .assert()
                .code(code);
            String::from_utf8(assert.get_output().stderr.clone()).unwrap()
        };
        // A run that finds nothing says what the file hides, unless that is trusted.
        let stderr = run(&["run", "guest.wat"]);
        let said = "hidden by [[interceptor]] of ";
        assert_eq!(stderr.contains(said), code == 0, "{stderr}");
        let stderr = run(&["run", "--trust-config", "guest.wat"]);
        assert_eq!(stderr.is_empty(), code == 0, "{stderr}");
    }
    let (assert, stderr) = run(&[("grind.toml", &rule("{ hid = {} }"))], &[]);
    assert.code(2);
    assert!(stderr.contains("hid"), "{stderr}");
}
