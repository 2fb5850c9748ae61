//! Threads that a host creates, waits for and ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/thread_runtime_basic.rs"]
mod thread_runtime_basic;
#[path = "support/waits_for_host.rs"]
mod waits_for_host;

use grind_runtime::host::{JoinError, JoinSet, ThreadError, ThreadRuntime};
use grind_runtime::machine::Trap;
use grind_runtime::{
    ActError, Diagnosis, NullIo, Program, ProgramOptions, RunOptions, ThreadId, Value,
};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const GUEST: &str = r#"(module
    (import "env" "wait" (func $wait (param i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1 1 shared)
    (func (export "sum") (param i32 i64 f32 f64) (result f64)
        (f64.add (f64.add (f64.convert_i32_s (local.get 0)) (f64.convert_i64_s (local.get 1)))
            (f64.add (f64.promote_f32 (local.get 2)) (local.get 3))))
    (func (export "write") (param i32) (i32.store (i32.const 64) (local.get 0)))
    (func (export "add") (param i32) (drop (i32.atomic.rmw.add (i32.const 64) (local.get 0))))
    (func (export "work") (param $rounds i32) (result i32) (local $n i32)
        (loop $again
            (drop (i32.atomic.rmw.add (i32.const 72) (i32.const 1)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (local.get $rounds))))
        (local.get $rounds))
    (func (export "trap") unreachable)
    (func (export "spin") (loop $for_ever (br $for_ever)))
    (func (export "spin_on_memory") (loop $for_ever
        (drop (i32.atomic.load (i32.const 80)))
        (br $for_ever)))
    (func (export "sleep_for_ever")
        (drop (memory.atomic.wait32 (i32.const 128) (i32.const 0) (i64.const -1))))
    (func (export "sleep") (param $nanoseconds i64)
        (drop (memory.atomic.wait32 (i32.const 128) (i32.const 0) (local.get $nanoseconds))))
    (func (export "wait_for_host") (call $wait (i32.const 7))))"#;

type Runtime = ThreadRuntime<NullIo>;

fn runtime() -> Runtime {
    seeded(3)
}

fn seeded(seed: u64) -> Runtime {
    let options = ProgramOptions::default().imports(vec![waits_for_host::wait()]);
    let program = Program::with_options(&wat::parse_str(GUEST).unwrap(), options).unwrap();
    ThreadRuntime::with_program(&program, RunOptions::seeded(seed), NullIo).unwrap()
}

#[test]
fn the_shortest_host_runs() {
    thread_runtime_basic::main().unwrap();
}

#[test]
fn a_thread_takes_and_gives_values_of_its_types() {
    let runtime = runtime();
    let args = [
        Value::I32(-1),
        Value::I64(2),
        Value::F32(0.5_f32.to_bits()),
        Value::F64(0.25_f64.to_bits()),
    ];
    let sum = runtime.spawn("sum", args).unwrap();
    assert_eq!(sum.join().unwrap(), [Value::F64(1.75_f64.to_bits())]);
    assert!(matches!(sum.join(), Err(JoinError::Joined(ThreadId(1)))));

    let types = runtime.spawn("sum", [Value::I32(1); 4]).unwrap_err();
    let said =
        "the export `sum` takes (i32, i64, f32, f64), and not [I32(1), I32(1), I32(1), I32(1)]";
    assert_eq!(types.to_string(), said);
    let count = runtime.spawn("write", []).unwrap_err();
    assert!(matches!(count, ActError::Types { .. }));
    let name = runtime.spawn("nothing", []).unwrap_err();
    assert_eq!(name, ActError::NoFunction("nothing".to_owned()));
    assert!(matches!(
        runtime.mem_read(65_533, 4),
        Err(ActError::OutOfBounds { .. })
    ));
    // Nothing of that has happened.
    let write = runtime.spawn("write", [Value::I32(5)]).unwrap();
    assert_eq!((write.id(), write.join().unwrap()), (ThreadId(2), vec![]));
    assert_eq!(runtime.mem_read(64, 4).unwrap(), [5, 0, 0, 0]);
}

#[test]
fn wherever_a_thread_is_it_can_be_aborted_and_the_others_go_on() {
    for export in ["spin", "spin_on_memory", "sleep_for_ever", "wait_for_host"] {
        let runtime = runtime();
        let stuck = runtime.spawn(export, []).unwrap();
        // It is somewhere within.
        for _ in 0..10 {
            assert!(!stuck.is_finished(), "{export}");
        }
        stuck.abort();
        assert!(stuck.is_finished(), "{export}");
        stuck.abort();
        let joined = stuck.join();
        assert!(
            matches!(joined, Err(JoinError::Thread(ThreadError::Aborted))),
            "{export}: {joined:?}"
        );
        let other = runtime.spawn("work", [Value::I32(10)]).unwrap();
        assert_eq!(other.join().unwrap(), [Value::I32(10)]);
        assert!(runtime.finish().unwrap().analysis.diagnoses.is_empty());
    }
}

#[test]
fn who_waits_lets_other_threads_of_the_host_act() {
    for export in ["spin", "spin_on_memory"] {
        let runtime = runtime();
        let stuck = runtime.spawn(export, []).unwrap();
        thread::scope(|scope| {
            let joins = scope.spawn(|| stuck.join());
            while !joins.is_finished() {
                stuck.abort();
                thread::yield_now();
            }
            let joined = joins.join().unwrap();
            assert!(matches!(
                joined,
                Err(JoinError::Thread(ThreadError::Aborted))
            ));
        });
    }
}

#[test]
fn dropping_the_runtime_ends_who_waits() {
    let runtime = runtime();
    let stuck = runtime.spawn("spin", []).unwrap();
    let (sender, joined) = mpsc::channel();
    let joins = thread::spawn(move || {
        sender.send(()).unwrap();
        stuck.join()
    });
    joined.recv().unwrap();
    drop(runtime);
    assert!(matches!(joins.join().unwrap(), Err(JoinError::Over)));
}

#[test]
fn a_trap_is_the_thread_s_own() {
    let runtime = runtime();
    let traps = runtime.spawn("trap", []).unwrap();
    let works = runtime.spawn("work", [Value::I32(3)]).unwrap();
    assert_eq!(works.join().unwrap(), [Value::I32(3)]);
    let Err(JoinError::Thread(ThreadError::Trapped(trap))) = traps.join() else {
        panic!("it has trapped")
    };
    assert!(trap.to_string().contains("unreachable"), "{trap}");
    assert_ne!(trap, Trap::OutOfBounds);
}

#[test]
fn a_blocked_thread_is_told_and_can_be_woken() {
    let runtime = runtime();
    let waits = runtime.spawn("wait_for_host", []).unwrap();
    assert!(matches!(waits.join(), Err(JoinError::Blocked)));
    runtime.wake(7, 1).unwrap();
    assert_eq!(waits.join().unwrap(), []);
    // Time is virtual: an hour passes at once.
    let hour = i64::try_from(Duration::from_secs(3600).as_nanos()).unwrap();
    let sleeps = runtime.spawn("sleep", [Value::I64(hour)]).unwrap();
    assert_eq!(sleeps.join().unwrap(), []);
    let outcome = runtime.finish().unwrap();
    assert!(outcome.stats.nanoseconds >= hour.cast_unsigned());
}

#[test]
fn what_the_host_does_races_with_what_it_does_not_wait_for() {
    let races = |seed, joins_first: bool| {
        let runtime = seeded(seed);
        // What is between is repeated by the second pass as well.
        let spins = runtime.spawn("spin_on_memory", []).unwrap();
        for _ in 0..seed {
            assert!(!spins.is_finished());
        }
        let writes = runtime.spawn("write", [Value::I32(1)]).unwrap();
        while !writes.is_finished() {}
        if joins_first {
            writes.join().unwrap();
        }
        runtime.mem_write(64, &[2]).unwrap();
        spins.abort();
        let outcome = runtime.finish().unwrap();
        let diagnoses = outcome.analysis.diagnoses.into_iter();
        diagnoses.map(|one| one.diagnosis).collect::<Vec<_>>()
    };
    for seed in 0..20 {
        let found = races(seed, false);
        let [Diagnosis::DataRace { first, second, .. }] = &found[..] else {
            panic!("{found:?}")
        };
        // The second pass knows where the thread was, without its host.
        assert!(!first.stack.is_empty());
        assert_eq!((first.thread, second.thread), (ThreadId(2), ThreadId(0)));
        assert_eq!(races(seed, true), []);
    }
}

#[test]
fn a_set_gives_threads_back_as_they_end() {
    let runtime = runtime();
    let mut set = JoinSet::new();
    let slow = set
        .spawn(&runtime, "sleep", [Value::I64(1_000_000)])
        .unwrap();
    let quick = set.spawn(&runtime, "sleep", [Value::I64(1000)]).unwrap();
    let aborted = set.spawn(&runtime, "sleep_for_ever", []).unwrap();
    assert_eq!((set.len(), set.is_empty()), (3, false));
    let (first, result) = set.join_next().unwrap();
    assert_eq!((first, result.unwrap()), (quick, vec![]));
    let (second, result) = loop {
        if let Some(came) = set.try_join_next() {
            break came;
        }
    };
    assert_eq!((second, result.unwrap()), (slow, vec![]));
    set.abort_all();
    assert_eq!(set.len(), 1);
    let all = set.join_all();
    let [(last, Err(JoinError::Thread(ThreadError::Aborted)))] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!(*last, aborted);

    // One that is dropped aborts its threads, unless they were detached.
    let mut set = JoinSet::new();
    set.spawn(&runtime, "sleep_for_ever", []).unwrap();
    let detached = runtime.spawn("work", [Value::I32(1)]).unwrap();
    drop(set);
    let mut set = JoinSet::new();
    set.insert(detached);
    set.detach_all();
    assert!(set.is_empty() && set.join_next().is_none());
    let outcome = runtime.finish().unwrap();
    // Nobody is blocked at the end, and the detached one has run.
    assert!(outcome.analysis.diagnoses.is_empty());
    assert_eq!(outcome.stats.threads, 6);
}

#[test]
fn of_a_set_that_cannot_go_on_each_thread_says_so() {
    let runtime = runtime();
    let mut set = JoinSet::new();
    for handle in runtime.spawn_repeat("wait_for_host", &[], 2).unwrap() {
        set.insert(handle);
    }
    let all = set.join_all();
    assert!(
        all.iter()
            .all(|(_, came)| matches!(came, Err(JoinError::Blocked)))
    );
    assert_eq!(all.len(), 2);
    let late = runtime.spawn("work", [Value::I32(1)]).unwrap();
    drop(runtime);
    assert!(matches!(late.join(), Err(JoinError::Over)));
    assert_eq!(late.try_join().map(|came| came.is_ok()), None);
}
