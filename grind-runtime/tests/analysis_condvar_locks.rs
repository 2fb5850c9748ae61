//! Condition variables that are waited on with two locks at a time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "analysis_support/script.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod script;

use grind_runtime::detect::{Diagnosis, FindingKind, Note};
use grind_runtime::machine::NullIo;
use grind_runtime::model::{EventKind, ThreadId, Unfinished, WaitOutcome};
use grind_runtime::program::Program;
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::{Kind, Options, human, json};
use grind_runtime::session::{self, ExitCode, RunOptions};
use script::Script;
use std::sync::Arc;

const CONDVAR: u32 = 0x300;
const LOCKS: [u32; 2] = [0x100, 0x200];

fn notes(script: &Script) -> Vec<Note> {
    let diagnoses = script.run().diagnoses.into_iter();
    let notes = diagnoses.map(|one| match one.diagnosis {
        Diagnosis::Note(note) => note,
        other => panic!("{other:?}"),
    });
    notes.collect()
}

/// The thread takes a lock and begins to wait with it; it blocks in a futex wait.
fn wait(
    script: &mut Script,
    thread: u32,
    condvar: u32,
    lock: u32,
) -> impl FnOnce(&mut Script) + use<> {
    script.lock(thread, lock);
    script.event(thread, EventKind::CondvarWait { condvar, lock });
    let site = script.wait_begin(thread, condvar);
    let timed_out = true;
    move |script| {
        script.wait_end(thread, site, condvar, WaitOutcome::TimedOut);
        let woken = EventKind::CondvarWake {
            condvar,
            lock,
            timed_out,
        };
        script.event(thread, woken);
        script.unlock(thread, lock);
    }
}

#[test]
fn two_locks_at_a_time_are_found_once_with_both_threads() {
    let mut script = Script::with_children(2);
    let first = wait(&mut script, 1, CONDVAR, LOCKS[0]);
    let second = wait(&mut script, 2, CONDVAR, LOCKS[1]);
    first(&mut script);
    second(&mut script);
    let found = notes(&script);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, FindingKind::CondvarTwoLocks);
    assert_eq!(found[0].thread, ThreadId(2));
    assert_eq!(found[0].related[0].thread, ThreadId(1));
}

#[test]
fn what_is_allowed_is_not_reported() {
    // One lock.
    let mut script = Script::with_children(2);
    let first = wait(&mut script, 1, CONDVAR, LOCKS[0]);
    let second = wait(&mut script, 2, CONDVAR, LOCKS[0]);
    first(&mut script);
    second(&mut script);
    // Another lock, when nobody waits any more.
    wait(&mut script, 1, CONDVAR, LOCKS[1])(&mut script);
    // Two condition variables.
    let first = wait(&mut script, 1, CONDVAR, LOCKS[0]);
    let second = wait(&mut script, 2, CONDVAR + 8, LOCKS[1]);
    first(&mut script);
    second(&mut script);
    // Who waited was notified, and has yet to get its lock back.
    let first = wait(&mut script, 1, CONDVAR, LOCKS[0]);
    let condvar = CONDVAR;
    let all = false;
    script.event(0, EventKind::CondvarNotify { condvar, all });
    script.event(0, EventKind::CondvarNotified { condvar });
    let second = wait(&mut script, 2, CONDVAR, LOCKS[1]);
    second(&mut script);
    first(&mut script);
    assert_eq!(notes(&script), []);
}

#[test]
fn a_wait_whose_time_has_passed_blocks_no_more() {
    let mut script = Script::with_children(2);
    let (condvar, lock) = (CONDVAR, LOCKS[0]);
    script.lock(1, lock);
    script.event(1, EventKind::CondvarWait { condvar, lock });
    let site = script.wait_begin(1, condvar);
    script.wait_end(1, site, condvar, WaitOutcome::TimedOut);
    wait(&mut script, 2, CONDVAR, LOCKS[1])(&mut script);
    assert_eq!(notes(&script), []);
}

/// Two threads of `threadlink` that wait at once, each for a while, with the lock that is given.
fn guest(second_lock: u32) -> Program {
    let wat = format!(
        r#"(module
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
        (import "threadlink" "start_lock" (func $start_lock (param i32)))
        (import "threadlink" "finish_lock" (func $finish_lock (param i32)))
        (import "threadlink" "start_unlock" (func $start_unlock (param i32)))
        (import "threadlink" "finish_unlock" (func $finish_unlock (param i32)))
        (import "threadlink" "start_wait" (func $wait (param i32 i32)))
        (import "threadlink" "finish_wait" (func $woke (param i32 i32 i32)))
        (import "threadlink" "annotate_lock_name" (func $name (param i32 i32 i32)))
        (memory 1 1 shared)
        (data (i32.const 512) "QUEUE")
        (func $wait_with (param $lock i32)
            (call $start_lock (local.get $lock))
            (call $finish_lock (local.get $lock))
            (call $wait (i32.const 64) (local.get $lock))
            (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const 1000000)))
            (call $woke (i32.const 64) (local.get $lock) (i32.const 1))
            (call $start_unlock (local.get $lock))
            (call $finish_unlock (local.get $lock)))
        (func (export "thread_start") (param $lock i32) (call $wait_with (local.get $lock)))
        (func (export "_start")
            (call $name (i32.const 128) (i32.const 512) (i32.const 5))
            (drop (call $create (i32.const 0) (i32.const 128)))
            (call $wait_with (i32.const {second_lock}))
            (drop (call $join (i32.load (i32.const 0))))))"#
    );
    Program::new(&wat::parse_str(wat).unwrap()).unwrap()
}

#[test]
fn a_run_reports_it_in_every_shape() {
    for (lock, wrong) in [(128, false), (192, true)] {
        let program = guest(lock);
        let mut found = 0;
        for seed in 0..20 {
            let mut options = RunOptions::seeded(seed);
            options.spec.entry.unfinished = Unfinished::Wait;
            let outcome = session::run(&program, options.clone(), NullIo).unwrap();
            let symbolizer = Symbolizer::new(Arc::clone(program.original()));
            let report = outcome.report(&program, &symbolizer, &options);
            // Not in every schedule do the waits overlap.
            let Some(finding) = report.findings.first() else {
                continue;
            };
            found += 1;
            assert_eq!(outcome.exit_code(), ExitCode::Findings.code());
            assert_eq!(finding.kind, FindingKind::CondvarTwoLocks);
            let text = human::render(&report, &human::Options::default());
            let said = "waits on the condition variable 0x00000040 with the lock 0x00000";
            assert!(text.contains(said), "{text}");
            assert!(text.contains("0x00000080 `QUEUE`"), "{text}");
            for kind in Kind::all() {
                let text = kind.render(&report, &Options::default());
                assert!(
                    text.contains("condition variable"),
                    "{}: {text}",
                    kind.name()
                );
            }
            let again = json::from_str(&json::to_string(&report)).unwrap();
            assert_eq!(again.findings, report.findings);
        }
        assert!(if wrong { found > 10 } else { found == 0 }, "{found}");
    }
}
