//! What the main thread runs, what its end means, and with how much memory it begins.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::machine::{BufferIo, MachineError};
use grind_runtime::model::{Entry, RunSpec, Unfinished};
use grind_runtime::program::Program;
use grind_runtime::session::{self, RunOptions};

/// Each function writes its letter. `main` starts a thread, which writes `t` unless the run ends before.
const LETTERS: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (import "env" "memory" (memory 1 4 shared))
    (data (i32.const 0) "simt")
    (func $write (param i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (i32.const 1))
        (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))
    (func (export "_start") (call $write (i32.const 0)))
    (func (export "_initialize") (call $write (i32.const 1)))
    (func (export "main2")
        (call $write (i32.const 2))
        (drop (call $spawn (i32.const 0))))
    (func (export "pages") (result i32) (memory.size))
    (func (export "wasi_thread_start") (param i32 i32) (call $write (i32.const 3))))"#;

fn run(entry: Entry) -> Result<String, MachineError> {
    let program = Program::new(&wat::parse_str(LETTERS).unwrap()).unwrap();
    let options = RunOptions::from(RunSpec::default().entry(entry));
    let outcome = session::run(&program, options, BufferIo::default())?;
    assert_eq!(outcome.exit_code(), 0);
    Ok(String::from_utf8(outcome.io.stdout).unwrap())
}

fn named(function: &str) -> Entry {
    Entry::default().function(Some(function.to_owned()))
}

#[test]
fn start_runs_by_itself_and_before_another_only_if_asked() {
    assert_eq!(run(Entry::default()).unwrap(), "s");
    assert_eq!(run(named("_start")).unwrap(), "s");
    assert_eq!(run(named("main2")).unwrap(), "im");
    let after_start = named("main2").after_start(true);
    assert_eq!(run(after_start).unwrap(), "sm");
}

#[test]
fn threads_end_with_the_main_one_unless_it_waits() {
    let waits = named("main2").unfinished(Unfinished::Wait);
    assert_eq!(run(waits).unwrap(), "imt");
}

#[test]
fn an_entry_that_is_not_there_is_named() {
    let error = run(named("main3")).unwrap_err().to_string();
    assert!(
        error.contains("main3") && error.contains("main2"),
        "{error}"
    );
}

#[test]
fn memory_begins_as_large_as_asked_within_the_modules_maximum() {
    let program = Program::new(&wat::parse_str(LETTERS).unwrap()).unwrap();
    let pages = |bytes: u64| {
        let options = RunOptions::from(
            RunSpec::default()
                .entry(named("pages"))
                .initial_memory(Some(bytes)),
        );
        session::run(&program, options, BufferIo::default()).map(|outcome| outcome.exit_code())
    };
    assert_eq!(pages(0).unwrap(), 1);
    assert_eq!(pages(65_537).unwrap(), 2);
    assert_eq!(pages(4 << 16).unwrap(), 4);
    let error = pages((4 << 16) + 1).err().unwrap().to_string();
    assert!(error.contains("maximum of 262144"), "{error}");
    assert!(pages(u64::MAX).is_err());
}

/// The engine fuses a comparison with zero and a `select` wrongly unless they are kept apart.
#[test]
fn a_select_after_a_comparison_with_zero_selects() {
    for (compare, zero, one) in [
        ("i32.eqz (local.get $x)", 1, 2),
        ("i32.eq (local.get $x) (i32.const 0)", 1, 2),
        ("i32.ne (local.get $x) (i32.const 0)", 2, 1),
        ("i64.eqz (i64.extend_i32_u (local.get $x))", 1, 2),
    ] {
        for load in ["", "(drop (i32.load (i32.const 8)))"] {
            let wat = format!(
                r#"(module (memory 1)
                    (func $pick (param $x i32) (param $a i32) (param $b i32) (result i32)
                        {load}
                        (select (local.get $a) (local.get $b) ({compare})))
                    (func (export "main") (result i32)
                        (i32.add
                            (i32.mul (i32.const 10) (call $pick (i32.const 0) (i32.const 1) (i32.const 2)))
                            (call $pick (i32.const 1) (i32.const 1) (i32.const 2)))))"#
            );
            let program = Program::new(&wat::parse_str(&wat).unwrap()).unwrap();
            let outcome =
                session::run(&program, RunOptions::default(), BufferIo::default()).unwrap();
            assert_eq!(outcome.exit_code(), 10 * zero + one, "{compare} {load}");
        }
    }
}
