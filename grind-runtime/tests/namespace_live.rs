//! Namespaces whose exports a host calls.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::host::{
    CallError, JoinError, LiveNamespace, Namespace, NamespaceError, Stdio, ThreadError,
};
use grind_runtime::{ActError, Diagnosis, Ending, Outcome, Unfinished, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use tokio::runtime::Builder;

/// A thread counts for ever, if the entry created it.
const GUEST: &str = r#"(module
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1 1 shared)
    (global $calls (mut i32) (i32.const 0))
    (func (export "wasi_thread_start") (param i32 i32)
        (loop $for_ever
            (drop (i32.atomic.rmw.add (i32.const 64) (i32.const 1)))
            (br $for_ever)))
    (func $spawn_one (drop (call $spawn (i32.const 0))))
    (func (export "_start") (call $spawn_one))
    (func (export "spawn") (call $spawn_one))
    (func (export "code") (result i32) (i32.const 9))
    (func (export "exit") (call $exit (i32.const 5)))
    (func (export "trap") unreachable)
    (func (export "blocks")
        (drop (memory.atomic.wait32 (i32.const 96) (i32.const 0) (i64.const -1))))
    (func (export "count") (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (global.get $calls))
    (func (export "counted") (result i32) (i32.atomic.load (i32.const 64)))
    ;; Waits until the thread has counted so far.
    (func (export "await") (param $until i32)
        (loop $again
            (br_if $again (i32.lt_u (i32.atomic.load (i32.const 64)) (local.get $until))))))"#;

fn namespace() -> Namespace {
    Namespace::from_bytes(wat::parse_str(GUEST).unwrap()).stdio(Stdio::null())
}

fn found<Io>(outcome: &Outcome<Io>) -> Vec<Diagnosis> {
    let diagnoses = outcome.analysis.diagnoses.iter();
    diagnoses.map(|one| one.diagnosis.clone()).collect()
}

fn number(live: &LiveNamespace, export: &str) -> i32 {
    let [Value::I32(number)] = live.call(export, []).unwrap()[..] else {
        panic!("it returns a number")
    };
    number
}

fn is_over(live: &LiveNamespace) {
    match live.call("count", []) {
        Err(CallError::Refused(ActError::Over)) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn exports_are_called_one_after_the_other_and_the_entry_is_not() {
    for seed in 0..10 {
        let live = namespace().seed(seed).start().unwrap();
        assert_eq!([number(&live, "count"), number(&live, "count")], [1, 2]);
        assert_eq!(number(&live, "counted"), 0);
        live.call("spawn", []).unwrap();
        live.call("await", [Value::I32(3)]).unwrap();
        assert!(number(&live, "counted") >= 3);
        assert_eq!(number(&live, "count"), 3);
        let outcome = live.finish().unwrap();
        assert_eq!(
            (&outcome.ending, found(&outcome)),
            (&Ending::Returned, vec![])
        );
    }
}

#[test]
fn a_namespace_is_kept_when_its_entry_has_ended_only_if_that_is_asked_for() {
    let kept = namespace().keep().start().unwrap();
    assert_eq!(kept.call_entry().unwrap(), 0);
    kept.call("await", [Value::I32(3)]).unwrap();
    assert_eq!(number(&kept, "count"), 1);
    assert_eq!(kept.finish().unwrap().ending, Ending::Returned);

    let gone = namespace().start().unwrap();
    assert_eq!(gone.call_entry().unwrap(), 0);
    is_over(&gone);
    let outcome = gone.finish().unwrap();
    assert_eq!(
        (&outcome.ending, outcome.exit_code()),
        (&Ending::Returned, 0)
    );
    // Its thread was observed, as by `grind run`.
    let run = namespace().run().unwrap();
    assert_eq!((&run.ending, run.stats.threads), (&Ending::Returned, 2));
    assert_eq!(outcome.stats.threads, 3);
}

#[test]
fn the_entry_has_the_exit_code_that_it_returns_or_that_a_thread_gives() {
    let code = |entry: &str| namespace().entry(entry).start().unwrap().call_entry();
    assert_eq!(code("code").unwrap(), 9);
    assert_eq!(code("exit").unwrap(), 5);
    assert_eq!(code("count").unwrap(), 1);
    match code("trap") {
        Err(NamespaceError::Call(CallError::Ended(JoinError::Over))) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_exits_ends_a_namespace_that_is_kept_too() {
    let live = namespace().entry("exit").keep().start().unwrap();
    live.call("spawn", []).unwrap();
    assert_eq!(live.call_entry().unwrap(), 5);
    is_over(&live);
    let outcome = live.finish().unwrap();
    assert_eq!(
        (&outcome.ending, outcome.exit_code()),
        (&Ending::Exited(5), 5)
    );
}

#[test]
fn a_trap_ends_all_with_wasi_threads_and_one_call_without() {
    let live = namespace().start().unwrap();
    let trapped = live.call("trap", []);
    assert!(
        matches!(trapped, Err(CallError::Ended(JoinError::Over))),
        "{trapped:?}"
    );
    let outcome = live.finish().unwrap();
    assert_eq!(
        (&outcome.ending, outcome.exit_code()),
        (&Ending::Trapped, 134)
    );

    let alone = r#"(module (func (export "_start") unreachable))"#;
    let live = Namespace::from_bytes(wat::parse_str(alone).unwrap())
        .start()
        .unwrap();
    match live.call_entry() {
        Err(NamespaceError::Call(CallError::Ended(JoinError::Thread(ThreadError::Trapped(_))))) => {
        }
        other => panic!("{other:?}"),
    }
    let outcome = live.finish().unwrap();
    assert_eq!(
        (outcome.exit_code(), outcome.analysis.traps.len()),
        (134, 1)
    );
}

#[test]
fn an_entry_that_is_blocked_can_be_helped_and_gone_on_with() {
    let live = namespace().entry("blocks").start().unwrap();
    match live.call_entry() {
        Err(NamespaceError::Call(CallError::Ended(JoinError::Blocked))) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(live.runtime().notify(96, 1).unwrap(), 1);
    assert_eq!(live.instance().resume().unwrap(), []);
    assert_eq!(found(&live.finish().unwrap()), []);
}

#[test]
fn a_module_that_is_no_command_is_initialized_once() {
    let reactor = r#"(module
        (global $state (mut i32) (i32.const 1))
        (func (export "_initialize") (global.set $state (i32.mul (global.get $state) (i32.const 7))))
        (func (export "state") (result i32) (global.get $state)))"#;
    let namespace = || Namespace::from_bytes(wat::parse_str(reactor).unwrap()).entry("state");
    let live = namespace().start().unwrap();
    assert_eq!(number(&live, "state"), 7);
    assert_eq!(live.call_entry().unwrap(), 7);
    assert_eq!(namespace().run().unwrap().ending, Ending::Exited(7));

    let traps = r#"(module (func (export "_initialize") unreachable))"#;
    let traps = Namespace::from_bytes(wat::parse_str(traps).unwrap());
    assert!(matches!(traps.start(), Err(NamespaceError::Call(_))));
}

#[test]
fn c_main_is_given_zeros_for_its_arguments() {
    let guest = r#"(module (func (export "main") (param i32 i32) (result i32)
        (i32.add (i32.const 3) (i32.add (local.get 0) (local.get 1)))))"#;
    let namespace = || Namespace::from_bytes(wat::parse_str(guest).unwrap());
    assert_eq!(namespace().start().unwrap().call_entry().unwrap(), 3);
    assert_eq!(namespace().run().unwrap().ending, Ending::Exited(3));
}

#[test]
fn what_is_dropped_ends_its_threads() {
    struct Dropped(Arc<AtomicU32>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let guest = r#"(module
        (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
        (import "env" "tick" (func $tick))
        (memory (export "memory") 1 1 shared)
        (func (export "wasi_thread_start") (param i32 i32)
            (loop $for_ever (call $tick) (br $for_ever)))
        (func (export "spawn") (drop (call $spawn (i32.const 0))))
        (func (export "spin") (param $n i32) (loop $again
            (drop (i32.atomic.load (i32.const 64)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"#;
    let (ticks, dropped) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let guard = (Dropped(Arc::clone(&dropped)), Arc::clone(&ticks));
    let tick = move |_: &mut grind_runtime::Guest<'_>, ()| {
        let (_guard, ticks) = &guard;
        ticks.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    let live = Namespace::from_bytes(wat::parse_str(guest).unwrap())
        .unfinished(Unfinished::Wait)
        .func("env", "tick", tick)
        .start()
        .unwrap();
    live.call("spawn", []).unwrap();
    live.call("spin", [Value::I32(1000)]).unwrap();
    let before = ticks.load(Ordering::Relaxed);
    assert!(before > 0);
    drop(live);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    assert_eq!(ticks.load(Ordering::Relaxed), before);
}

#[test]
fn several_threads_of_the_host_have_live_namespaces_at_once_or_share_one() {
    let shared = namespace().start().unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let own = namespace().start().unwrap();
                for expected in 1..20 {
                    assert_eq!(number(&own, "count"), expected);
                }
                assert_eq!(own.finish().unwrap().exit_code(), 0);
                // One call at a time, whoever makes it.
                let mut done = 0;
                while done < 10 {
                    match shared.call("count", []) {
                        Ok(_) => done += 1,
                        Err(CallError::Refused(ActError::InCall(_))) => {
                            thread::yield_now();
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                }
            });
        }
    });
    assert!(number(&shared, "count") >= 31);
}

#[test]
fn who_awaits_calls_blocks_nobody() {
    let tokio = Builder::new_current_thread().build().unwrap();
    tokio.block_on(async {
        let live = Arc::new(namespace().keep().start_async().await.unwrap());
        // The call ends when the other task has stored, which the call has to let run for that.
        let (ours, theirs) = (Arc::clone(&live), Arc::clone(&live));
        let waits = tokio::spawn(async move { ours.call_async("await", [Value::I32(-1)]).await });
        tokio::task::yield_now().await;
        let stores = tokio::spawn(async move { theirs.runtime().atomic_store(64, -1_i32) });
        stores.await.unwrap().unwrap();
        let waited = waits.await.unwrap();
        assert_eq!(waited.unwrap(), []);
        let live = Arc::into_inner(live).unwrap();
        assert_eq!(live.call_entry_async().await.unwrap(), 0);
        let outcome = live.finish_async().await.unwrap();
        assert_eq!(outcome.ending, Ending::Returned);
        assert_eq!(found(&outcome), []);
    });
}
