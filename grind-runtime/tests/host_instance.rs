//! Instances that a host makes calls in, one after the other.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::host::{CallError, Instance, JoinError, PollError, Polled, ThreadRuntime};
use grind_runtime::{
    ActError, BufferIo, Diagnosis, NullIo, Outcome, Program, RunOptions, ThreadId, Value,
};
use std::path::Path;

const GUEST: &str = r#"(module
    (memory (export "memory") 1 1 shared)
    (global $calls (mut i32) (i32.const 0))
    (func $start (i32.store (i32.const 8) (i32.const 1)))
    (func (export "count") (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (global.get $calls))
    (func (export "add") (param i32 i64) (result i64)
        (i64.add (i64.extend_i32_s (local.get 0)) (local.get 1)))
    (func (export "write") (i32.store (i32.const 64) (i32.const 5)))
    (func (export "read") (result i32) (i32.load (i32.const 64)))
    (func (export "trap") unreachable)
    (func (export "spin") (loop $for_ever
        (drop (i32.atomic.load (i32.const 80)))
        (br $for_ever)))
    (func (export "sleep_for_ever")
        (drop (memory.atomic.wait32 (i32.const 128) (i32.const 0) (i64.const -1))))
    (func (export "wake") (param i32) (result i32)
        (memory.atomic.notify (i32.const 128) (local.get 0))))"#;

fn runtime(seed: u64) -> ThreadRuntime<NullIo> {
    let program = Program::new(&wat::parse_str(GUEST).unwrap()).unwrap();
    ThreadRuntime::with_program(&program, RunOptions::seeded(seed), NullIo).unwrap()
}

fn found<Io>(outcome: Outcome<Io>) -> Vec<Diagnosis> {
    let diagnoses = outcome.analysis.diagnoses.into_iter();
    diagnoses.map(|one| one.diagnosis).collect()
}

#[test]
fn calls_of_an_instance_share_its_globals_and_no_others() {
    for seed in 0..20 {
        let runtime = runtime(seed);
        let [one, two] = [(); 2].map(|()| runtime.instance().unwrap());
        for expected in 1..4 {
            assert_eq!(one.call("count", []).unwrap(), [Value::I32(expected)]);
        }
        assert_eq!(two.call("count", []).unwrap(), [Value::I32(1)]);
        let sum = one.call("add", [Value::I32(-1), Value::I64(1 << 40)]);
        assert_eq!(sum.unwrap(), [Value::I64((1 << 40) - 1)]);
        one.close().unwrap();
        drop(two);
        let outcome = runtime.finish().unwrap();
        assert_eq!(outcome.stats.threads, 3);
        assert_eq!(found(outcome), []);
    }
}

#[test]
fn a_call_is_ordered_with_what_the_host_does_around_it() {
    for seed in 0..20 {
        let runtime = runtime(seed);
        let [one, two] = [(); 2].map(|()| runtime.instance().unwrap());
        runtime.mem_write(64, &[7]).unwrap();
        one.call("write", []).unwrap();
        assert_eq!(two.call("read", []).unwrap(), [Value::I32(5)]);
        runtime.mem_write(64, &[7]).unwrap();
        assert_eq!(found(runtime.finish().unwrap()), []);
    }
}

#[test]
fn a_call_that_is_not_waited_for_is_not_ordered() {
    for seed in 0..20 {
        let runtime = runtime(seed);
        let [one, two] = [(); 2].map(|()| runtime.instance().unwrap());
        one.start("write", []).unwrap();
        two.call("read", []).unwrap();
        let found = found(runtime.finish().unwrap());
        let [Diagnosis::DataRace { first, second, .. }] = &found[..] else {
            panic!("{seed}: {found:?}")
        };
        // The second pass knew where the first was.
        assert!(!first.stack.is_empty() && !second.stack.is_empty());
        assert_eq!(
            [first.thread, second.thread].iter().max(),
            Some(&ThreadId(2))
        );
    }
}

#[test]
fn what_cannot_be_called_is_refused_and_nothing_has_happened() {
    let runtime = runtime(1);
    let instance = runtime.instance().unwrap();
    let refused = |came: Result<Vec<Value>, CallError>| match came {
        Err(CallError::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    let gone = refused(instance.call("gone", []));
    assert_eq!(gone, ActError::NoFunction("gone".to_owned()));
    let types = refused(instance.call("add", [Value::I32(1)]));
    let said = "the export `add` takes (i32, i64), and not [I32(1)]";
    assert_eq!(types.to_string(), said);
    assert_eq!(
        refused(instance.resume()),
        ActError::NoThread(instance.id())
    );

    // One call at a time, and one that is blocked can be gone on with.
    let blocked = instance.call("sleep_for_ever", []);
    assert!(matches!(blocked, Err(CallError::Ended(JoinError::Blocked))));
    let busy = refused(instance.call("count", []));
    assert_eq!(busy, ActError::InCall(instance.id()));
    let other = runtime.instance().unwrap();
    let woken = other.call("wake", [Value::I32(1)]).unwrap();
    assert_eq!(woken, [Value::I32(1)]);
    assert_eq!(instance.resume().unwrap(), []);
    assert_eq!(instance.call("count", []).unwrap(), [Value::I32(1)]);
    let poll = instance.poll_guest();
    assert!(matches!(
        poll,
        Err(PollError::Call(CallError::Refused(ActError::NoFunction(_))))
    ));
}

#[test]
fn an_instance_ends_by_a_trap_an_abort_or_its_drop() {
    let runtime = runtime(2);
    let traps = runtime.instance().unwrap();
    let trap = traps.call("trap", []).unwrap_err();
    assert!(trap.to_string().contains("unreachable"), "{trap}");
    let after = traps.call("count", []).unwrap_err();
    assert!(matches!(
        after,
        CallError::Refused(ActError::NoThread(ThreadId(1)))
    ));

    let spins = runtime.instance().unwrap();
    spins.start("spin", []).unwrap();
    spins.abort();
    let aborted = spins.resume().unwrap_err();
    assert_eq!(aborted.to_string(), "it was aborted");
    drop(spins);

    let dropped = runtime.instance().unwrap();
    dropped.start("spin", []).unwrap();
    drop(dropped);
    let last = runtime.instance().unwrap();
    assert_eq!(last.call("count", []).unwrap(), [Value::I32(1)]);
    let outcome = runtime.finish().unwrap();
    assert_eq!(outcome.stats.threads, 5);
    // The runtime ends what is not in a call, and nothing is blocked.
    let found = found(outcome);
    let [Diagnosis::Trap(trapped)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(trapped.thread, ThreadId(1));
    assert!(matches!(
        last.call("count", []),
        Err(CallError::Refused(ActError::Over))
    ));
}

#[test]
fn an_instance_that_was_about_to_begin_can_be_closed() {
    for seed in 0..20 {
        let runtime = runtime(seed);
        let spins = runtime.spawn("spin", []).unwrap();
        for rounds in 0..10 {
            let instance = runtime.instance().unwrap();
            for _ in 0..rounds {
                assert!(!spins.is_finished());
            }
            drop(instance);
        }
        spins.abort();
        spins.join().unwrap_err();
        assert_eq!(found(runtime.finish().unwrap()), []);
    }
}

#[test]
fn tasks_that_a_thread_wakes_which_lives_on_are_polled() {
    // The thread works for ever, and says at some time that there is nothing left to do.
    let wasm = wat::parse_str(
        r#"(module (memory 1 1 shared)
            (func (export "threadlink_poll") (result i32)
                (i32.eqz (i32.atomic.load (i32.const 64))))
            (func (export "server") (param $sleep i64) (local $rounds i32)
                (loop $for_ever
                    (if (i64.ne (local.get $sleep) (i64.const 0)) (then
                        (drop (memory.atomic.wait32
                            (i32.const 72) (i32.const 0) (local.get $sleep)))))
                    (local.set $rounds (i32.add (local.get $rounds) (i32.const 1)))
                    (if (i32.eq (local.get $rounds) (i32.const 50)) (then
                        (i32.atomic.store (i32.const 64) (i32.const 1))))
                    (br $for_ever))))"#,
    );
    let program = Program::new(&wasm.unwrap()).unwrap();
    for sleep in [0, 100_000, 10_000_000] {
        let runtime = ThreadRuntime::with_program(&program, RunOptions::seeded(1), NullIo).unwrap();
        let server = runtime.spawn("server", [Value::I64(sleep)]).unwrap();
        runtime.instance().unwrap().run_tasks().unwrap();
        assert_eq!(runtime.atomic_load::<u32>(64).unwrap(), 1);
        server.abort();
    }
}

#[test]
fn tasks_that_nobody_wakes_are_told_and_one_that_sleeps_long_is_waited_for() {
    let wasm = wat::parse_str(
        r#"(module (memory 1 1 shared)
            (func (export "threadlink_poll") (result i32)
                (i32.eqz (i32.atomic.load (i32.const 64))))
            (func (export "wait") (param $timeout i64)
                (drop (memory.atomic.wait32
                    (i32.const 72) (i32.const 0) (local.get $timeout)))
                (i32.atomic.store (i32.const 64) (i32.const 1))
                (drop (memory.atomic.wait32
                    (i32.const 72) (i32.const 0) (i64.const -1)))))"#,
    );
    let program = Program::new(&wasm.unwrap()).unwrap();
    let hour = 3_600_000_000_000;
    for (timeout, ends) in [(-1, false), (hour, true)] {
        let runtime = ThreadRuntime::with_program(&program, RunOptions::seeded(1), NullIo).unwrap();
        let waits = runtime.spawn("wait", [Value::I64(timeout)]).unwrap();
        let ran = runtime.instance().unwrap().run_tasks();
        match ends {
            true => ran.unwrap(),
            false => assert!(matches!(ran, Err(PollError::Blocked)), "{ran:?}"),
        }
        waits.abort();
    }
}

/// What a host does with a guest of tasks.
fn poll_until_done(instance: &Instance) -> u32 {
    let mut blocked = 0;
    while instance.poll_guest().unwrap() == Polled::Blocked {
        blocked += 1;
        assert!(blocked < 1000, "it never ends");
    }
    blocked
}

#[test]
fn tasks_of_a_guest_go_on_when_the_host_polls() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    let wasm = std::fs::read(programs.join("wasm/clean_task_reentry.wasm")).unwrap();
    let program = Program::new(&wasm).unwrap();
    for seed in 0..20 {
        let options = RunOptions::seeded(seed);
        let runtime = ThreadRuntime::with_program(&program, options, BufferIo::default()).unwrap();
        let instance = runtime.instance().unwrap();
        instance.call("_start", []).unwrap();
        for _ in 0..3 {
            assert_eq!(instance.poll_guest().unwrap(), Polled::Blocked);
        }
        let [Value::I32(address)] = instance.call("word", []).unwrap()[..] else {
            panic!("it returns an address")
        };
        let address = address.cast_unsigned();
        runtime.mem_write(address, &2_u32.to_le_bytes()).unwrap();
        poll_until_done(&instance);
        assert_eq!(instance.poll_guest().unwrap(), Polled::Done);
        let outcome = runtime.finish().unwrap();
        assert_eq!(outcome.io.stdout, b"blocked\n42\n", "{seed}");
        assert_eq!(found(outcome), []);
    }
}
