//! The command as a user meets it: output, exit codes, bad input.
//!
//! Reports are compared with `tests/golden/*.txt`. After a change that is meant, look at the new text of
//! `SNAPSHOTS=overwrite cargo test -p grind-cli --test cli`, and commit it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use snapbox::cmd::Command;
use snapbox::{IntoData, file};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn grind() -> Command {
    Command::new(snapbox::cmd::cargo_bin!("grind")).env_remove("NO_COLOR")
}

/// `grind run` from the directory that guests' paths begin at.
fn run(arguments: &[&str]) -> Command {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    grind().current_dir(programs).arg("run").args(arguments)
}

/// A file with this content, in a directory that lives as long as the result.
fn file_with(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    (directory, path)
}

fn module(text: &str) -> (TempDir, PathBuf) {
    file_with("guest.wat", text)
}

fn run_module(text: &str, arguments: &[&str]) -> snapbox::cmd::OutputAssert {
    let (_directory, path) = module(text);
    grind().arg("run").args(arguments).arg(&path).assert()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn stderr(assert: &snapbox::cmd::OutputAssert) -> String {
    text(&assert.get_output().stderr)
}

// ---- golden reports --------------------------------------------------------------------------------

#[test]
fn a_race_shows_both_accesses() {
    run(&["wasm/race_counter.wasm"])
        .assert()
        .code(66)
        .stdout_eq("")
        .stderr_eq(file!["golden/race_counter.txt"].raw());
}

#[test]
fn a_deadlock_shows_the_circle() {
    run(&["wasm/deadlock_ab_ba.wasm"])
        .assert()
        .code(66)
        .stdout_eq("")
        .stderr_eq(file!["golden/deadlock_ab_ba.txt"].raw());
}

#[test]
fn a_lost_wakeup_shows_who_waits() {
    run(&["wasm/deadlock_notify_before_wait.wasm"])
        .assert()
        .code(66)
        .stderr_eq(file!["golden/deadlock_notify_before_wait.txt"].raw());
}

#[test]
fn a_trap_shows_where() {
    run(&["wasm/trap_in_thread.wasm"])
        .assert()
        .code(134)
        .stderr_eq(file!["golden/trap_in_thread.txt"].raw());
}

#[test]
fn a_stack_that_overflowed_shows_the_recursion_once() {
    run(&["wasm/trap_stack_overflow.wasm"])
        .assert()
        .code(134)
        .stderr_eq(file!["golden/trap_stack_overflow.txt"].raw());
    // A program gets them all.
    let json = run(&["--format", "json", "wasm/trap_stack_overflow.wasm"]).assert();
    let frames = stderr(&json)
        .matches("\"trap_stack_overflow::descend\"")
        .count();
    assert!(frames > 1000, "{frames}");
}

#[test]
fn a_race_on_the_heap_shows_the_block() {
    run(&["wasm/race_heap.wasm"])
        .assert()
        .code(66)
        .stderr_eq(file!["golden/race_heap.txt"].raw());
}

#[test]
fn the_json_form_is_one_object_on_standard_error() {
    let assert = run(&["--format", "json", "wasm/race_counter.wasm"])
        .assert()
        .code(66)
        .stdout_eq("");
    let report = grind_runtime::report::json::from_str(&stderr(&assert)).unwrap();
    assert_eq!(report.findings.len(), 1);
    assert_eq!(
        report.reproduce.as_deref(),
        Some("grind run --seed 0 wasm/race_counter.wasm")
    );
}

// ---- runs ------------------------------------------------------------------------------------------

#[test]
fn a_clean_run_is_silent_and_has_the_guests_exit_code() {
    run(&["wasm/norace_counter.wasm"])
        .assert()
        .code(0)
        .stderr_eq("");
    run(&["wasm/clean_exit_code.wasm"])
        .assert()
        .code(3)
        .stderr_eq("");
}

#[test]
fn the_guest_gets_its_arguments_and_its_output_is_untouched() {
    run(&["wasm/clean_arguments.wasm", "--threads", "3", "rest"])
        .assert()
        .code(0)
        .stdout_eq("--threads 3 rest\n3\nNotPresent\n")
        .stderr_eq("to standard error\n");
}

#[test]
fn the_guest_has_the_modules_name_or_another() {
    let guest = r#"(module
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_get" (func $get (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start")
            (drop (call $sizes (i32.const 0) (i32.const 20)))
            (drop (call $get (i32.const 0) (i32.const 1000)))
            (i32.store (i32.const 16) (i32.const 1000))
            (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))))"#;
    for (options, name) in [
        (&[][..], "guest.wat\0"),
        (&["--argv0", "tool"], "tool\0"),
        (&["--argv0="], "\0"),
    ] {
        run_module(guest, options).code(0).stdout_eq(name);
    }
    let assert = run(&["--argv0", "a tool", "wasm/race_counter.wasm"])
        .assert()
        .code(66);
    let again = "reproduce: grind run --seed 0 --argv0 'a tool' wasm/race_counter.wasm\n";
    assert!(stderr(&assert).ends_with(again), "{}", stderr(&assert));
}

#[test]
fn the_printed_command_shows_the_same_again() {
    let first = run(&["--seed", "5", "wasm/race_publish.wasm"])
        .assert()
        .code(66);
    let report = stderr(&first);
    let command = report
        .lines()
        .find_map(|line| line.strip_prefix("reproduce: grind run "))
        .unwrap();
    let words: Vec<&str> = command.split(' ').collect();
    run(&words)
        .assert()
        .code(66)
        .stderr_eq(report.as_str().into_data().raw());
}

#[test]
fn without_detection_races_are_silent_and_deadlocks_are_not() {
    run(&["--no-detect", "wasm/race_counter.wasm"])
        .assert()
        .code(0)
        .stderr_eq("");
    run(&["--no-detect", "wasm/deadlock_ab_ba.wasm"])
        .assert()
        .code(66);
}

#[test]
fn halting_on_the_first_error_shows_one_finding() {
    let all = run(&["wasm/race_two_bugs.wasm"]).assert().code(66);
    assert!(stderr(&all).contains("2 findings"), "{}", stderr(&all));
    let first = run(&["--halt-on-error", "wasm/race_two_bugs.wasm"])
        .assert()
        .code(66);
    assert!(stderr(&first).contains("1 finding "), "{}", stderr(&first));
}

#[test]
fn colours_are_a_choice() {
    let plain = run(&["wasm/race_counter.wasm"]).assert();
    assert!(!stderr(&plain).contains('\x1b'));
    let coloured = run(&["--color", "always", "wasm/race_counter.wasm"]).assert();
    assert!(stderr(&coloured).contains('\x1b'));
}

// ---- bad input -------------------------------------------------------------------------------------

/// The exit code, and words of the one error.
fn refused(name: &str, content: impl AsRef<[u8]>, code: i32, words: &[&str]) {
    let (_directory, path) = file_with(name, content);
    let assert = grind()
        .arg("run")
        .arg(&path)
        .assert()
        .code(code)
        .stdout_eq("");
    let error = stderr(&assert);
    assert!(error.starts_with("grind: error: "), "{error}");
    for word in words {
        assert!(error.contains(word), "no `{word}` in: {error}");
    }
}

#[test]
fn a_file_that_is_no_module_is_refused_by_name() {
    refused("a.wasm", b"", 126, &["empty"]);
    refused("a.wasm", b"#!/bin/sh\n", 126, &["text"]);
    refused(
        "a.wasm",
        b"\x7fELF\x02\x01\x01",
        126,
        &["not a WebAssembly module"],
    );
    refused("a.wasm", b"\0asm\x01\0\0\0\x01\x7f", 126, &["truncated"]);
    refused("a.wasm", b"\0asm\x0d\0\x01\0", 126, &["component"]);
    refused("a.wat", "(module", 126, &["a.wat"]);
    refused(
        "a.wat",
        r#"(module (memory i64 1) (func (export "_start")))"#,
        126,
        &["memory64"],
    );
    refused(
        "a.wat",
        r#"(module (memory 1) (memory 1) (func (export "_start")))"#,
        126,
        &["2 memories"],
    );
    refused(
        "a.wat",
        r#"(module (tag) (func (export "_start") (throw 0)))"#,
        126,
        &["exceptions", "not support"],
    );
    grind()
        .args(["run", "/nonexistent.wasm"])
        .assert()
        .code(127);
}

#[test]
fn all_unknown_imports_are_listed_with_the_nearest_name() {
    let guest = r#"(module
        (import "threadlink" "thread_creat" (func (param i32 i32) (result i32)))
        (import "threadlink" "thread_join" (func (param i64)))
        (import "env" "emscripten_get_now" (func (result f64)))
        (func (export "_start")))"#;
    refused(
        "a.wat",
        guest,
        126,
        &[
            "3 imports",
            "did you mean `thread_create`",
            "grind provides it as (i32) -> i32",
            "`emscripten_get_now` from `env`",
        ],
    );
}

#[test]
fn a_module_that_cannot_start_its_threads_is_refused() {
    let import = r#"(import "threadlink" "thread_create" (func (param i32 i32) (result i32)))"#;
    refused(
        "a.wat",
        format!(r#"(module {import} (func (export "_start")))"#),
        126,
        &["thread_start", "(i32) -> ()"],
    );
    let mistyped = format!(
        r#"(module {import} (func (export "_start")) (func (export "thread_start") (param i64)))"#
    );
    refused("a.wat", mistyped, 126, &["thread_start", "(i64)"]);
}

#[test]
fn a_missing_entry_lists_the_exports() {
    let guest = r#"(module (func (export "go")) (func (export "stop")))"#;
    let assert = run_module(guest, &[]).code(126);
    assert!(stderr(&assert).contains("go, stop"), "{}", stderr(&assert));
    let assert = run_module(guest, &["--invoke", "gone"]).code(126);
    assert!(stderr(&assert).contains("go, stop"), "{}", stderr(&assert));
    run_module(guest, &["--invoke", "go"]).code(0);
}

#[test]
fn an_endless_loop_without_memory_ends_at_either_limit() {
    let guest = r#"(module (func (export "_start") (loop $l (br $l))))"#;
    run_module(guest, &["--max-steps", "100000"]).code(124);
    run_module(guest, &["--timeout", "1"]).code(124);
}

#[test]
fn malformed_debug_information_costs_only_lines() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    let mut wasm = fs::read(programs.join("wasm/race_counter.wasm")).unwrap();
    let name = b".debug_line";
    let at = wasm
        .windows(name.len())
        .position(|window| window == name)
        .unwrap()
        + name.len();
    wasm[at..at + 64].fill(0xff);
    let (_directory, path) = file_with("a.wasm", wasm);
    let assert = grind().arg("run").arg(&path).assert().code(66);
    assert!(stderr(&assert).contains("data race"), "{}", stderr(&assert));
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    for arguments in [
        &["run"][..],
        &["run", "--seed", "x", "a.wasm"],
        &["dance"],
        &["run", "--scheduler", "fifo", "a.wasm"],
    ] {
        grind().args(arguments).assert().code(2);
    }
}

// ---- doctor ----------------------------------------------------------------------------------------

#[test]
fn doctor_says_what_a_module_is() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    let assert = grind()
        .current_dir(programs)
        .args(["doctor", "wasm/race_heap.wasm"])
        .assert()
        .code(0);
    let said = text(&assert.get_output().stdout);
    for word in [
        "threadlink",
        "shared",
        "DWARF",
        "__rust_alloc",
        "can run this module",
    ] {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
}

#[test]
fn doctor_says_what_is_missing() {
    let (_directory, path) = module(r#"(module (import "env" "foo" (func)) (memory 1))"#);
    let assert = grind().arg("doctor").arg(&path).assert().code(126);
    let said = text(&assert.get_output().stdout);
    for word in [
        "not shared",
        "none of _start and main",
        "`foo` from `env`",
        "cannot run this module",
    ] {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
}

#[test]
fn the_release_of_a_lock_that_is_not_held_is_a_finding() {
    let guest = r#"(module
        (import "threadlink" "start_unlock" (func $start_unlock (param i32)))
        (import "threadlink" "finish_unlock" (func $finish_unlock (param i32)))
        (import "threadlink" "start_lock" (func $start_lock (param i32)))
        (import "threadlink" "finish_lock" (func $finish_lock (param i32)))
        (func (export "_start")
            (call $start_unlock (i32.const 64))
            (call $finish_unlock (i32.const 64)))
        (func (export "right")
            (call $start_lock (i32.const 64))
            (call $finish_lock (i32.const 64))
            (call $start_unlock (i32.const 64))
            (call $finish_unlock (i32.const 64))))"#;
    let assert = run_module(guest, &[]).code(66);
    assert!(
        stderr(&assert).contains("unlock-not-held"),
        "{}",
        stderr(&assert)
    );
    run_module(guest, &["--invoke", "right"]).code(0);
}

#[test]
fn limits_are_reported_and_the_guest_goes_on() {
    let guest = r#"(module
        (import "env" "memory" (memory 1 65536 shared))
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (func (export "thread_start") (param i32)
            (drop (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const -1))))
        (func (export "bomb")
            (loop $l (br_if $l (i32.eqz (call $create (i32.const 0) (i32.const 0))))))
        (func (export "hoard")
            (loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))))"#;
    let assert = run_module(guest, &["--invoke", "bomb", "--max-threads", "20"]).code(0);
    assert!(
        stderr(&assert).contains("more than 20 threads at once and was refused (--max-threads)"),
        "{}",
        stderr(&assert)
    );
    let assert = run_module(guest, &["--invoke", "hoard", "--max-memory", "16MiB"]).code(0);
    assert!(
        stderr(&assert).contains("more than 16 MiB of memory and was refused (--max-memory)"),
        "{}",
        stderr(&assert)
    );
}

// ---- directories -----------------------------------------------------------------------------------

/// Makes `made` in the first directory it is given; exits with the error number.
const MAKER: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_create_directory" (func $make (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "made")
    (func (export "_start")
      (call $exit (call $make (i32.const 3) (i32.const 8) (i32.const 4)))))"#;

#[test]
fn a_directory_is_given_by_name_and_only_then() {
    let work = TempDir::new().unwrap();
    let dir = work.path().to_str().unwrap();
    // Bad file descriptor: there is no directory.
    run_module(MAKER, &[]).code(8).stderr_eq("");
    run_module(MAKER, &["--dir", dir]).code(0).stderr_eq("");
    assert!(work.path().join("made").is_dir());
    // It exists.
    let both = ["--dir", &format!("{dir}::/work"), "--dir", "."];
    run_module(MAKER, &both).code(20).stderr_eq("");
}

#[test]
fn std_finds_what_dir_names() {
    let work = TempDir::new().unwrap();
    let dir = format!("{}::/work", work.path().display());
    run(&["--dir", &dir, "wasip1/wasm/files.wasm"])
        .assert()
        .code(0)
        .stdout_eq("files: ok\n")
        .stderr_eq("");
}

#[test]
fn a_directory_that_is_not_there_is_one_clear_error() {
    let work = TempDir::new().unwrap();
    let missing = work.path().join("missing");
    let assert = run_module(MAKER, &["--dir", missing.to_str().unwrap()]).code(127);
    let said = stderr(&assert);
    assert!(said.contains("no such file or directory"), "{said}");
    assert!(said.contains("missing") && said.contains("--dir"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    fs::write(&missing, "a file").unwrap();
    let assert = run_module(MAKER, &["--dir", missing.to_str().unwrap()]).code(2);
    let said = stderr(&assert);
    assert!(said.contains("missing") && said.contains("--dir"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn the_printed_command_gives_the_directory_too() {
    let work = TempDir::new().unwrap();
    let dir = format!("{}::/work", work.path().display());
    let assert = run(&["--dir", &dir, "wasm/race_counter.wasm"])
        .assert()
        .code(66);
    let said = stderr(&assert);
    let command = said.lines().find(|line| line.starts_with("reproduce:"));
    assert!(command.unwrap().contains(&format!("--dir {dir}")), "{said}");
}

#[test]
fn doctor_says_that_a_module_wants_files() {
    let (_directory, path) = module(MAKER);
    let assert = grind().arg("doctor").arg(&path).assert().code(0);
    let said = text(&assert.get_output().stdout);
    assert!(said.contains("--dir"), "{said}");
    let assert = run_doctor("wasm/race_counter.wasm");
    assert!(!assert.contains("--dir"), "{assert}");
}

fn run_doctor(module: &str) -> String {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    let mut doctor = grind();
    doctor = doctor.current_dir(programs).arg("doctor").arg(module);
    text(&doctor.assert().code(0).get_output().stdout)
}

// ---- standard input --------------------------------------------------------------------------------

/// `grind run` of a guest that reads standard input in one thread and works in another.
fn reader(arguments: &[&str]) -> std::process::Child {
    let guest =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs/c/wasm/clean_stdin.wasm");
    std::process::Command::new(snapbox::cmd::cargo_bin!("grind"))
        .arg("run")
        .args(arguments)
        .arg(guest)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn threads_run_while_one_waits_for_input() {
    let mut child = reader(&[]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    // Not a byte was written yet.
    assert_eq!(line(), "worked 499500");
    let mut stdin = child.stdin.take().unwrap();
    for _ in 0..3 {
        stdin.write_all(&[b'x'; 100]).unwrap();
    }
    drop(stdin);
    assert_eq!(line(), "read 300");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_time_out_ends_a_run_that_waits_for_input() {
    let mut child = reader(&["--timeout", "1s"]);
    // Held open until the end.
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(124));
    assert_eq!(text(&output.stdout), "worked 499500\n");
    drop(stdin);
}

#[test]
fn a_file_as_standard_input_is_read_to_its_end() {
    let (_directory, path) = file_with("input", vec![b'x'; 200_000]);
    let guest =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs/c/wasm/clean_stdin.wasm");
    let output = std::process::Command::new(snapbox::cmd::cargo_bin!("grind"))
        .arg("run")
        .arg(guest)
        .stdin(fs::File::open(path).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let lines = text(&output.stdout);
    assert!(lines.contains("read 200000\n"), "{lines}");
}
