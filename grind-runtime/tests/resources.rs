//! What a guest can make grind spend: memory for tables and instances, time for threads, time after a time-out.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::machine::{BufferIo, MachineError};
use grind_runtime::model::{Control, Ending, LimitReached, Limits, RunSpec};
use grind_runtime::program::{Program, ProgramError};
use grind_runtime::session::{self, ExitCode, Outcome, RunOptions};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

fn program(text: &str) -> Program {
    Program::new(&wat::parse_str(text).unwrap()).unwrap()
}

fn run(text: &str, limits: Limits) -> Outcome<BufferIo> {
    let options = RunOptions::from(RunSpec::default().limits(limits));
    session::run(&program(text), options, BufferIo::default()).unwrap()
}

/// A module that creates threads, and `_start`.
fn threads(declarations: &str, entry: &str, start: &str) -> String {
    format!(
        r#"(module
            (import "env" "memory" (memory 1 1 shared))
            (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
            (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
            {declarations}
            (func (export "thread_start") (param i32) {entry})
            (func (export "_start") (local $count i32) {start}))"#
    )
}

#[test]
fn tables_of_all_threads_have_one_limit() {
    // 80 MB for each thread. One that is refused is no trap, and those there are go on.
    let text = threads(
        "(table 10000000 funcref) (table 10000000 funcref) (func $f) (elem declare func $f)",
        "(table.set 0 (i32.const 7) (ref.func $f))
         (drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 1000000)))",
        "(loop $again
            (br_if $again (i32.eqz (call $create (i32.const 8) (i32.const 0)))))
         (i32.atomic.store (i32.const 16) (i32.const 1))",
    );
    let outcome = run(&text, Limits::default());
    assert!(outcome.limits_reached.contains(&LimitReached::Instances));
    assert!(!outcome.limits_reached.contains(&LimitReached::Threads));
    assert_eq!(outcome.ending, Ending::Returned);
    assert!(
        (5..20).contains(&outcome.stats.threads),
        "{}",
        outcome.stats.threads
    );
}

#[test]
fn instances_of_finished_threads_are_counted_once() {
    // The same tables, one thread after the other.
    let text = threads(
        "(table 10000000 funcref)",
        "",
        "(loop $again
            (if (call $create (i32.const 8) (i32.const 0)) (then (unreachable)))
            (drop (call $join (i32.load (i32.const 8))))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $count) (i32.const 200))))",
    );
    let outcome = run(&text, Limits::default());
    assert!(outcome.limits_reached.is_empty());
    assert_eq!(outcome.stats.threads, 201);
    assert_eq!(outcome.stats.instances, 2);
}

#[test]
fn many_tables_grow_to_one_limit() {
    // 100 tables of 10 million elements would take 4 GB.
    let tables = "(table 0 funcref)".repeat(100);
    let mut grow = String::new();
    for table in 0..100 {
        writeln!(
            grow,
            "(local.set $count (i32.add (local.get $count)
                (i32.eq (table.grow {table} (ref.null func) (i32.const 10000000)) (i32.const -1))))"
        )
        .unwrap();
    }
    let refused = "(if (i32.eqz (local.get $count)) (then (unreachable)))";
    let text = format!(
        r#"(module {tables} (func (export "_start") (local $count i32) {grow} {refused}))"#
    );
    let outcome = run(&text, Limits::default());
    assert_eq!(outcome.ending, Ending::Returned);
    assert!(outcome.limits_reached.contains(&LimitReached::Instances));
    // Those that begin so are refused before they are allocated.
    let text = format!(
        r#"(module {} (func (export "_start")))"#,
        "(table 10000000 funcref)".repeat(100)
    );
    let begun = Instant::now();
    let error = session::run(&program(&text), RunOptions::default(), BufferIo::default())
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, MachineError::Instantiation(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn functions_of_all_instances_count_as_well() {
    // 7 MB for each thread, which no table takes.
    let text = threads(
        &"(func)".repeat(100_000),
        "(drop (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 1000000000)))",
        "(loop $again
            (br_if $again (i32.eqz (call $create (i32.const 8) (i32.const 0)))))",
    );
    let outcome = run(&text, Limits::default());
    assert!(outcome.limits_reached.contains(&LimitReached::Instances));
    assert!(outcome.stats.threads > 100, "{}", outcome.stats.threads);
}

#[test]
fn a_table_grows_with_its_value() {
    let text = r#"(module
        (table $a 1 5 funcref) (table $b 2 externref)
        (type $answer (func (result i32)))
        (func $six (type $answer) (i32.const 6))
        (elem declare func $six)
        (func (export "main") (result i32)
            (if (i32.ne (table.grow $a (ref.func $six) (i32.const 3)) (i32.const 1)) (then (unreachable)))
            (if (i32.ne (table.grow $a (ref.func $six) (i32.const 2)) (i32.const -1)) (then (unreachable)))
            (if (i32.ne (table.grow $a (ref.func $six) (i32.const -1)) (i32.const -1)) (then (unreachable)))
            (if (i32.ne (table.grow $b (ref.null extern) (i32.const 1)) (i32.const 2)) (then (unreachable)))
            (if (i32.eqz (ref.is_null (table.get $a (i32.const 0)))) (then (unreachable)))
            (i32.add
                (i32.mul (i32.const 10) (table.size $a))
                (call_indirect $a (type $answer) (i32.const 3)))))"#;
    assert_eq!(run(text, Limits::default()).exit_code(), 46);
}

#[test]
fn creating_threads_takes_time_for_each_and_no_more() {
    let one_by_one = "(loop $again
        (if (call $create (i32.const 8) (i32.const 0)) (then (unreachable)))
        (drop (call $join (i32.load (i32.const 8))))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $count) (i32.const 150000))))";
    // All at once; then the address of the first is that of all to join.
    let all_at_once = "(loop $again
        (if (call $create (i32.const 8) (i32.const 0)) (then (unreachable)))
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $count) (i32.const 50000))))
        (i32.atomic.store (i32.const 4) (i32.const 1))
        (drop (memory.atomic.notify (i32.const 4) (i32.const -1)))";
    let wait = "(drop (memory.atomic.wait32 (i32.const 4) (i32.const 0) (i64.const -1)))";
    for (entry, start) in [
        ("(i32.store (i32.const 64) (i32.const 1))", one_by_one),
        (wait, all_at_once),
    ] {
        let begun = Instant::now();
        let limits = Limits::default().threads(1 << 20);
        let outcome = run(&threads("", entry, start), limits);
        assert_eq!(outcome.ending, Ending::Returned);
        assert!(outcome.limits_reached.is_empty());
        // A second is enough; quadratic work takes minutes.
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn threads_need_a_shared_memory() {
    let module = |import: &str, entry: &str, memory: &str| {
        format!(r#"(module {import} {memory} (func (export "_start")) {entry})"#)
    };
    for (import, entry) in [
        (
            r#"(import "wasi" "thread-spawn" (func (param i32) (result i32)))"#,
            r#"(func (export "wasi_thread_start") (param i32 i32))"#,
        ),
        (
            r#"(import "threadlink" "thread_create" (func (param i32 i32) (result i32)))"#,
            r#"(func (export "thread_start") (param i32))"#,
        ),
    ] {
        let load = |memory| Program::new(&wat::parse_str(module(import, entry, memory)).unwrap());
        for memory in ["(memory 1)", r#"(import "env" "memory" (memory 1 1))"#] {
            let error = load(memory).map(drop).unwrap_err();
            assert!(
                matches!(error, ProgramError::UnsharedMemory { .. }),
                "{error}"
            );
        }
        assert!(load("(memory 1 1 shared)").is_ok());
        assert!(load("").is_ok());
    }
}

#[test]
fn what_is_valid_and_too_large_is_refused_by_name() {
    let targets = "0 ".repeat(1_000_000);
    let nested = format!(
        "(func {} {} {})",
        "block ".repeat(1000),
        "i32.const 0 br_table 0 0",
        "end ".repeat(1000)
    );
    let large = [
        format!("(func (local {}))", "i32 ".repeat(30_000)),
        format!("(func (local {}))", "v128 ".repeat(49_000)),
        format!("(func i32.const 0 br_table {targets} 0)"),
        "(type (func))".repeat(1_000_000),
        "(global (mut i32) (i32.const 0))".repeat(999_999),
        format!(
            "(func {} {})",
            "i64.const 1 ".repeat(70_000),
            "drop ".repeat(70_000)
        ),
        format!(
            "(func {})",
            "(i32.store (i32.const 0) (i32.const 1))".repeat(700_000)
        ),
        "(table i64 1 funcref)".to_owned(),
        r#"(import "env" "table" (table i64 1 funcref))"#.to_owned(),
        nested,
    ];
    for declarations in large {
        let text = format!(r#"(module {declarations} (memory 1) (func (export "_start")))"#);
        let wasm = wat::parse_str(&text).unwrap();
        let begins = declarations.get(..60).unwrap_or(&declarations);
        let ran = match Program::new(&wasm) {
            Ok(program) => session::run(&program, RunOptions::default(), BufferIo::default()),
            Err(error) => {
                assert!(
                    !matches!(error, ProgramError::Invalid { .. }),
                    "{begins}: {error}"
                );
                continue;
            }
        };
        match ran {
            Ok(outcome) => assert_eq!(outcome.ending, Ending::Returned, "{begins}"),
            Err(error) => assert!(
                matches!(error, MachineError::TooLarge(_)),
                "{begins}: {error}"
            ),
        }
    }
}

/// Runs a program that is asked to stop soon. Returns how long it took after that.
fn stopped(text: &str) -> Duration {
    const SOON: Duration = Duration::from_millis(300);
    let control = Arc::new(Control::default());
    let options = RunOptions::default().control(Arc::clone(&control));
    let program = program(text);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut pass = 0;
            let mut since = Instant::now();
            while !done.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
                if control.pass() != pass {
                    pass = control.pass();
                    since = Instant::now();
                } else if since.elapsed() > SOON {
                    control.stop_pass(pass);
                }
            }
        });
        let begun = Instant::now();
        let outcome = session::run(&program, options, BufferIo::default());
        done.store(true, Ordering::Relaxed);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.ending, Ending::TimedOut);
        assert_eq!(outcome.exit_code_given(false), ExitCode::Timeout.code());
        begun.elapsed()
    })
}

#[test]
fn what_the_host_does_at_length_can_be_stopped() {
    let random = r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (memory 16384)
        (func (export "_start")
            (loop (drop (call $random (i32.const 0) (i32.const 1000000000))) (br 0))))"#;
    // Both passes, each of which has as long.
    let filling = |access: &str| {
        format!(
            r#"(module
                (import "env" "memory" (memory 16384 16384 shared))
                (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
                (func (export "thread_start") (param i32) (loop {access} (br 0)))
                (func (export "_start")
                    (drop (call $create (i32.const 0) (i32.const 0)))
                    (loop {access} (br 0))))"#
        )
    };
    let fill = "(memory.fill (i32.const 64) (i32.const 1) (i32.const 1000000000))";
    let copy = "(memory.copy (i32.const 64) (i32.const 72) (i32.const 1000000000))";
    for text in [random.to_owned(), filling(fill), filling(copy)] {
        let taken = stopped(&text);
        assert!(taken < Duration::from_secs(15), "{taken:?}: {text}");
    }
}
