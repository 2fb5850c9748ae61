//! Calls of several threads.

use super::{options, run, text};
use grind_runtime::detect::{AccessKind, Diagnosis};
use grind_runtime::model::{Ending, LimitReached, Limits, RunSpec};
use grind_runtime::program::Program;
use grind_runtime::session::RunOptions;
use std::fs;
use tempfile::TempDir;

/// One thread sleeps in `poll_oneoff` for an hour. Meanwhile the other does 1000 calls, sets a flag, and the
/// sleeper finds it set.
#[test]
fn waiting_blocks_only_the_thread_that_waits() {
    let program = text(
        r#"(module
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))
    (import "env" "memory" (memory 1 1 shared))
    ;; subscription: a relative time on the monotonic clock
    (data (i32.const 1040) "\01")
    (func $ok (param i32) (if (local.get 0) (then (unreachable))))
    (func (export "thread_start") (param i32)
      (i64.store (i32.const 1048) (i64.const 3600000000000))
      (call $ok (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 2112)))
      (if (i32.ne (i32.load (i32.const 2112)) (i32.const 1)) (then (unreachable)))
      (if (i32.eqz (i32.atomic.load (i32.const 64))) (then (unreachable))))
    (func (export "_start") (local $i i32)
      (call $ok (call $create (i32.const 0) (i32.const 0)))
      (loop $more
        (call $ok (call $yield))
        (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
      (i32.atomic.store (i32.const 64) (i32.const 1))
      (call $ok (call $now (i32.const 1) (i64.const 1) (i32.const 72)))
      ;; The hour has not passed yet.
      (if (i64.gt_u (i64.load (i32.const 72)) (i64.const 1000000000)) (then (unreachable)))
      (call $ok (call $join (i32.load (i32.const 0))))
      (call $ok (call $now (i32.const 1) (i64.const 1) (i32.const 72)))
      (if (i64.lt_u (i64.load (i32.const 72)) (i64.const 3600000000000)) (then (unreachable)))))"#,
    );
    for seed in 0..10 {
        let options = RunOptions::seeded(seed);
        let outcome = run(&program, options);
        assert_eq!(outcome.ending, Ending::Returned, "seed {seed}");
        assert!(outcome.analysis.diagnoses.is_empty());
    }
}

/// A thread reads the file `in` to 4096 and ends; the main thread looks there, before or after it joins.
fn reader(join_first: bool) -> String {
    let join = "(call $ok (call $join (i32.load (i32.const 0))))";
    let look = "(drop (i32.load (i32.const 4096)))";
    let (first, second) = if join_first {
        (join, look)
    } else {
        (look, join)
    };
    format!(
        r#"(module
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "env" "memory" (memory 1 1 shared))
    (data (i32.const 1024) "in")
    (data (i32.const 1032) "\00\10\00\00\08\00\00\00")
    (func $ok (param i32) (if (local.get 0) (then (unreachable))))
    (func (export "thread_start") (param i32)
      (call $ok (call $open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 2) (i32.const 0)
        (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 1048)))
      (call $ok (call $read (i32.load (i32.const 1048)) (i32.const 1032) (i32.const 1) (i32.const 1052))))
    (func (export "_start")
      (call $ok (call $create (i32.const 0) (i32.const 0)))
      {first}
      {second}))"#
    )
}

#[test]
fn a_buffer_that_is_read_into_races() {
    let work = TempDir::new().unwrap();
    fs::write(work.path().join("in"), "12345678").unwrap();
    for seed in 0..10 {
        let with_seed = || options(work.path());
        let outcome = run(&text(&reader(false)), with_seed());
        let [found] = &outcome.analysis.diagnoses[..] else {
            panic!("seed {seed}: {:?}", outcome.analysis.diagnoses);
        };
        let Diagnosis::DataRace { first, second, .. } = &found.diagnosis else {
            panic!("{found:?}")
        };
        let host = [first, second].map(|access| access.kind == AccessKind::Host);
        assert!(host.contains(&true) && host.contains(&false), "{found:?}");
        assert!(!first.stack.is_empty() && !second.stack.is_empty());

        let outcome = run(&text(&reader(true)), with_seed());
        assert!(outcome.analysis.diagnoses.is_empty(), "seed {seed}");
    }
}

/// wasi-threads: ids are positive, and a negative number is the failure to make a thread.
#[test]
fn a_thread_too_many_is_a_negative_number() {
    let program = text(
        r#"(module
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (import "env" "memory" (memory 1 1 shared))
    (func $require (param i32) (if (i32.eqz (local.get 0)) (then (unreachable))))
    (func (export "wasi_thread_start") (param i32 i32)
      (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
    (func (export "_start")
      (call $require (i32.gt_s (call $spawn (i32.const 0)) (i32.const 0)))
      (call $require (i32.gt_s (call $spawn (i32.const 0)) (i32.const 0)))
      (call $require (i32.lt_s (call $spawn (i32.const 0)) (i32.const 0)))))"#,
    );
    let options = RunOptions::from(RunSpec::default().limits(Limits::default().threads(3)));
    let outcome = run(&program, options);
    assert_eq!(outcome.ending, Ending::Returned);
    assert!(outcome.limits_reached.contains(&LimitReached::Threads));
}

#[test]
fn a_thread_entry_that_is_missing_or_of_another_type_is_refused() {
    let module = |entry: &str| {
        let module = format!(
            r#"(module
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (import "env" "memory" (memory 1 1 shared))
    {entry}
    (func (export "_start") (drop (call $spawn (i32.const 0)))))"#
        );
        let error = Program::new(&wat::parse_str(module).unwrap()).unwrap_err();
        error.to_string()
    };
    for (entry, problem) in [
        ("", "exports no function `wasi_thread_start`"),
        (
            r#"(func (export "wasi_thread_start") (param i32))"#,
            "with type (i32) -> ()",
        ),
        (
            r#"(func (export "wasi_thread_start") (param i32 i32) (result i32) (i32.const 0))"#,
            "with type (i32, i32) -> i32",
        ),
        (
            r#"(global (export "wasi_thread_start") i32 (i32.const 0))"#,
            "exports no function `wasi_thread_start`",
        ),
    ] {
        let error = module(entry);
        assert!(error.contains(problem), "{entry}: {error}");
        assert!(error.contains("wasi.thread-spawn"), "{error}");
        assert!(error.contains("(i32, i32) -> ()"), "{error}");
    }
}
