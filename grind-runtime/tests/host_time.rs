//! Deadlines of a host, in virtual time: what waits for one, what is aborted at one, and that a trace repeats it without its host.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/recording.rs"]
#[expect(dead_code, reason = "not all suites use all of it")]
mod recording;
#[path = "support/waits_for_host.rs"]
mod waits_for_host;

use grind_runtime::host::{JoinError, ThreadError, ThreadRuntime};
use grind_runtime::machine::{DriverAct, Machine, MachineConfig};
use grind_runtime::model::NullSink;
use grind_runtime::report::human;
use grind_runtime::schedule::Random;
use grind_runtime::session::{self, ReplayOptions};
use grind_runtime::{
    ActError, Diagnosis, Driven, NullIo, Outcome, Pause, Program, ProgramOptions, RunOptions,
    Symbolizer, ThreadId, Value, replay,
};
use recording::{Memory, open};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const GUEST: &str = r#"(module
    (import "env" "wait" (func $wait (param i32)))
    (import "threadlink" "start_lock" (func $start_lock (param i32)))
    (import "threadlink" "finish_lock" (func $finish_lock (param i32)))
    (memory (export "memory") 1 1 shared)
    (func (export "write") (i32.store (i32.const 64) (i32.const 1)))
    (func (export "spin") (loop $for_ever (br $for_ever)))
    (func (export "spin_on_memory") (loop $for_ever
        (drop (i32.atomic.load (i32.const 80)))
        (br $for_ever)))
    (func (export "sleep_for_ever")
        (drop (memory.atomic.wait32 (i32.const 128) (i32.const 0) (i64.const -1))))
    (func $sleep (export "sleep") (param $nanoseconds i64) (result i32)
        (memory.atomic.wait32 (i32.const 128) (i32.const 0) (local.get $nanoseconds)))
    (func (export "sleep_long") (drop (call $sleep (i64.const 3600000000000))))
    (func (export "wait_for_host") (call $wait (i32.const 7)))
    (func (export "lock_and_spin") (param $lock i32)
        (call $start_lock (local.get $lock))
        (call $finish_lock (local.get $lock))
        (loop $for_ever (br $for_ever)))
    (func (export "ask_for") (param $lock i32)
        (call $start_lock (local.get $lock))
        (drop (memory.atomic.wait32 (local.get $lock) (i32.const 0) (i64.const -1)))))"#;

fn program() -> Program {
    let options = ProgramOptions::default().imports(vec![waits_for_host::wait()]);
    Program::with_options(&wat::parse_str(GUEST).unwrap(), options).unwrap()
}

fn runtime(seed: u64) -> ThreadRuntime<NullIo> {
    ThreadRuntime::with_program(&program(), RunOptions::seeded(seed), NullIo).unwrap()
}

/// Where a thread can be that does not end by itself.
const STUCK: [&str; 5] = [
    "spin",
    "spin_on_memory",
    "sleep_for_ever",
    "sleep_long",
    "wait_for_host",
];

const MS: Duration = Duration::from_millis(1);

fn machine(driven: Driven) -> Machine {
    let config = MachineConfig::new(
        Box::new(Random::new(3)),
        Box::new(NullSink),
        Box::new(NullIo),
    );
    Machine::new(&program(), config.driven(driven).fuel(1000)).unwrap()
}

#[test]
fn an_alarm_comes_where_threads_run_and_where_all_wait() {
    for (export, exact) in [
        ("spin", false),
        ("spin_on_memory", false),
        ("sleep_for_ever", true),
        ("wait_for_host", true),
    ] {
        let mut machine = machine(Driven::AsMainThread);
        machine.spawn([export], []).unwrap();
        for at in [5_000, 5_001, 70_000] {
            machine.set_alarm(Some(at));
            assert_eq!(machine.run().unwrap(), Pause::Alarm, "{export}");
            // Where a thread runs, it comes back at the end of its fuel, or at an operation.
            let late = machine.now() - at;
            assert!(late <= if exact { 0 } else { 2_000 }, "{export}: {late}");
        }
        // It is told once, and nothing has changed.
        if exact {
            assert_eq!(machine.run().unwrap(), Pause::Waiting { deadline: None });
        }
        machine.set_alarm(Some(1));
        assert_eq!(machine.run().unwrap(), Pause::Alarm, "it has passed");
    }
}

#[test]
fn a_deadline_before_the_alarm_comes_first() {
    let mut machine = machine(Driven::AsMainThread);
    let sleeps = machine.spawn(["sleep"], [50_000]).unwrap();
    machine.set_alarm(Some(1_000_000));
    let Pause::Waiting {
        deadline: Some(deadline),
    } = machine.run().unwrap()
    else {
        panic!("it waits for its deadline")
    };
    assert!((50_000..60_000).contains(&deadline), "{deadline}");
    // Not beyond it, not into the past, and not while somebody can go on.
    let now = machine.now();
    for until in [deadline + 1, now - 1] {
        let refused = machine.elapse_to(until);
        assert_eq!(refused, Err(ActError::NotThen { until, now }));
    }
    machine.elapse_to(deadline).unwrap();
    assert_eq!(machine.run().unwrap(), Pause::ThreadEnded(sleeps));
    assert_eq!(machine.run().unwrap(), Pause::Alarm);
    assert_eq!(machine.now(), 1_000_000);
    machine.spawn(["write"], []).unwrap();
    let until = 2_000_000;
    assert_eq!(
        machine.elapse_to(until),
        Err(ActError::NotThen {
            until,
            now: 1_000_000
        })
    );
}

#[test]
fn a_join_with_a_time_out_gives_the_thread_back() {
    for export in STUCK {
        let runtime = runtime(1);
        let stuck = runtime.spawn(export, []).unwrap();
        let before = runtime.now().unwrap();
        assert!(stuck.join_timeout(3 * MS).is_none(), "{export}");
        let passed = runtime.now().unwrap() - before;
        assert!((3 * MS..4 * MS).contains(&passed), "{export}: {passed:?}");
        assert!(stuck.join_timeout(Duration::ZERO).is_none());
        stuck.abort();
        let Some(Err(JoinError::Thread(ThreadError::Aborted))) = stuck.join_timeout(MS) else {
            panic!("{export} was aborted")
        };
        assert!(matches!(
            stuck.join_timeout(MS),
            Some(Err(JoinError::Joined(_)))
        ));
    }
    // One that ends in time has its results.
    let runtime = runtime(1);
    let sleeps = runtime.spawn("sleep", [Value::I64(2_000_000)]).unwrap();
    assert!(sleeps.join_timeout(MS).is_none());
    let joined = sleeps.join_timeout(2 * MS).unwrap().unwrap();
    assert_eq!(joined, [Value::I32(2)]);
    let late = runtime.spawn("write", []).unwrap();
    drop(runtime);
    assert!(matches!(late.join_timeout(MS), Some(Err(JoinError::Over))));
}

#[test]
fn the_host_sleeps_while_guests_run() {
    let runtime = runtime(2);
    let writes = runtime.spawn("write", []).unwrap();
    let spins = runtime.spawn("spin", []).unwrap();
    runtime.sleep(5 * MS).unwrap();
    let now = runtime.now().unwrap();
    assert!((5 * MS..6 * MS).contains(&now), "{now:?}");
    assert!(writes.try_join().unwrap().is_ok());
    spins.abort();
    // Where nobody runs, time passes all the same, and exactly.
    let before = runtime.now().unwrap();
    runtime.sleep(Duration::from_secs(1000)).unwrap();
    assert_eq!(runtime.now().unwrap() - before, Duration::from_secs(1000));
    let outcome = runtime.finish().unwrap();
    assert!(outcome.analysis.diagnoses.is_empty());
}

#[test]
fn a_thread_is_aborted_when_its_time_is_over() {
    for export in STUCK {
        let runtime = runtime(1);
        let stuck = runtime.spawn(export, []).unwrap();
        stuck.abort_after(100 * MS).unwrap();
        // The later call counts.
        stuck.abort_after(2 * MS).unwrap();
        let joined = stuck.join();
        assert!(
            matches!(joined, Err(JoinError::Thread(ThreadError::Aborted))),
            "{export}: {joined:?}"
        );
        let now = runtime.now().unwrap();
        assert!((2 * MS..3 * MS).contains(&now), "{export}: {now:?}");
    }
    // It needs no handle, and nothing of one that has ended.
    let runtime = runtime(1);
    let ends = runtime.spawn("write", []).unwrap();
    ends.abort_after(MS).unwrap();
    assert_eq!(ends.join().unwrap(), []);
    runtime.spawn("spin", []).unwrap().abort_after(MS).unwrap();
    runtime.sleep(3 * MS).unwrap();
    let blocked = runtime.spawn("sleep_for_ever", []).unwrap();
    assert!(matches!(blocked.join(), Err(JoinError::Blocked)));
    // The deadline of one that was aborted before does not hold time up.
    blocked.abort_after(1000 * MS).unwrap();
    blocked.abort();
    assert!(blocked.join().is_err());
    assert!(runtime.now().unwrap() < 5 * MS);
}

#[test]
fn deadlines_count_whoever_waits() {
    let runtime = runtime(4);
    let [first, second] = [(); 2].map(|()| runtime.spawn("spin", []).unwrap());
    second.abort_after(9 * MS).unwrap();
    thread::scope(|scope| {
        let joins = scope.spawn(|| second.join());
        let sleeps = scope.spawn(|| runtime.sleep(4 * MS));
        sleeps.join().unwrap().unwrap();
        first.abort();
        let joined = joins.join().unwrap();
        assert!(matches!(
            joined,
            Err(JoinError::Thread(ThreadError::Aborted))
        ));
    });
    let now = runtime.now().unwrap();
    assert!(now >= 9 * MS, "{now:?}");
}

fn report<Io>(program: &Program, options: &RunOptions, outcome: &Outcome<Io>) -> String {
    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    let report = outcome.report(program, &symbolizer, options);
    human::render(&report, &human::Options::default())
}

#[test]
fn what_waits_for_a_lock_of_an_aborted_thread_names_who_had_it() {
    for (taken, stuck) in [(256, true), (512, false)] {
        let runtime = runtime(1);
        let holder = runtime.spawn("lock_and_spin", [Value::I32(taken)]).unwrap();
        holder.abort_after(MS).unwrap();
        assert!(holder.join().is_err());
        let asks = runtime.spawn("ask_for", [Value::I32(256)]).unwrap();
        assert!(matches!(asks.join(), Err(JoinError::Blocked)));
        let outcome = runtime.finish().unwrap();
        let found: Vec<_> = outcome.analysis.diagnoses.iter().collect();
        let deadlocks = found
            .iter()
            .filter(|one| matches!(one.diagnosis, Diagnosis::Deadlock { .. }));
        assert_eq!(deadlocks.count(), usize::from(stuck), "{found:?}");
        assert_eq!(found.is_empty(), !stuck, "{found:?}");
        let report = report(&program(), &RunOptions::seeded(1), &outcome);
        let said = "held by T1 (which has ended)";
        assert_eq!(report.contains(said), stuck, "{report}");
    }
}

/// A host that uses every deadline, beside a race.
fn busy(runtime: &ThreadRuntime<NullIo>) {
    let spins = runtime.spawn("spin", []).unwrap();
    spins.abort_after(7 * MS).unwrap();
    let waits = runtime.spawn("wait_for_host", []).unwrap();
    let sleeps = runtime.spawn("sleep_long", []).unwrap();
    assert!(sleeps.join_timeout(2 * MS).is_none());
    let writes = runtime.spawn("write", []).unwrap();
    runtime.sleep(3 * MS).unwrap();
    assert!(writes.is_finished());
    runtime.mem_write(64, &[2]).unwrap();
    runtime.wake(7, 1).unwrap();
    waits.join().unwrap();
    spins.join().unwrap_err();
    runtime.sleep(MS).unwrap();
    sleeps.abort();
}

#[test]
fn a_trace_repeats_deadlines_without_the_host() {
    let program = program();
    for seed in 0..5 {
        let options = RunOptions::seeded(seed);
        let file = Memory::default();
        let runtime =
            ThreadRuntime::record(&program, options.clone(), NullIo, file.clone()).unwrap();
        busy(&runtime);
        let live = runtime.finish().unwrap();
        assert_eq!(live.warnings, [""; 0]);
        assert_eq!(live.analysis.stats.unresolved, 0);
        assert_eq!(live.analysis.diagnoses.len(), 1, "the writes race");
        let open = || open(&file.bytes());
        let again = replay(&program, open, ReplayOptions::default(), Box::new(NullIo)).unwrap();
        assert!(!again.truncated);
        assert_eq!(again.outcome.stats, live.stats);
        assert_eq!(again.outcome.decisions, live.decisions);
        let reports = [&live.analysis, &again.outcome.analysis].map(|one| one.diagnoses.clone());
        assert_eq!(reports[0], reports[1]);

        // The same host and seed are the same run.
        let runtime = ThreadRuntime::with_program(&program, options, NullIo).unwrap();
        busy(&runtime);
        let twin = runtime.finish().unwrap();
        assert_eq!(twin.stats, live.stats);
        assert_eq!(twin.decisions, live.decisions);
    }
}

#[test]
fn what_several_threads_of_the_host_do_is_repeated() {
    let program = program();
    for seed in 0..8 {
        let file = Memory::default();
        let options = RunOptions::seeded(seed);
        let runtime = ThreadRuntime::record(&program, options, NullIo, file.clone()).unwrap();
        let stuck = STUCK.map(|export| runtime.spawn(export, []).unwrap());
        stuck[0].abort_after(20 * MS).unwrap();
        thread::scope(|scope| {
            // They come when they come; each act has its place in the run.
            scope.spawn(|| stuck[0].join().unwrap_err());
            for number in 1..4 {
                let (runtime, stuck) = (&runtime, &stuck);
                scope.spawn(move || {
                    for round in 0..20 {
                        let ends = runtime.spawn("write", []).unwrap();
                        assert_eq!(ends.join().unwrap(), []);
                        runtime.atomic_add(80, round).unwrap();
                        runtime.sleep(MS / 10).unwrap();
                    }
                    stuck[number].abort();
                });
            }
        });
        runtime.wake(7, 1).unwrap();
        stuck[4].join().unwrap();
        let live = runtime.finish().unwrap();
        assert_eq!(live.analysis.stats.unresolved, 0);
        let open = || open(&file.bytes());
        let again = replay(&program, open, ReplayOptions::default(), Box::new(NullIo)).unwrap();
        assert!(!again.truncated);
        assert_eq!(again.outcome.stats, live.stats, "{seed}");
        assert_eq!(again.outcome.analysis.diagnoses, live.analysis.diagnoses);
    }
}

#[test]
fn what_is_said_of_time_in_a_log_of_another_run_is_an_error() {
    let program = program();
    let options = RunOptions::default();
    for until in [0, u64::MAX] {
        let mut header = recording::header(&program, &options, grind_runtime::trace::Detail::Light);
        header.driven = Driven::AsMainThread;
        let file = Memory::default();
        let out: session::TraceOutput = Box::new(file.clone());
        let mut writer =
            grind_runtime::TraceWriter::create(out, &header, program.sites(), None).unwrap();
        let bytes = |act: &DriverAct| postcard::to_stdvec(act).unwrap();
        let start = grind_runtime::Event {
            thread: ThreadId(0),
            kind: grind_runtime::EventKind::ThreadStart,
        };
        writer.event(&start, &[]);
        let spawn = DriverAct::Spawn {
            exports: vec!["write".to_owned()],
            args: Vec::new(),
        };
        writer.act(0, bytes(&spawn));
        writer.event(
            &grind_runtime::Event {
                thread: ThreadId(0),
                kind: grind_runtime::EventKind::ThreadCreate { child: ThreadId(1) },
            },
            &[],
        );
        writer.act(0, bytes(&DriverAct::ElapseTo { until }));
        drop(writer.finish_truncated().unwrap());
        let open = || open(&file.bytes());
        let error = replay(&program, open, ReplayOptions::default(), Box::new(NullIo));
        let error = error.err().unwrap().to_string();
        assert!(error.contains("time cannot pass to"), "{error}");
    }
}

#[test]
fn a_recording_that_cannot_be_written_is_told() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let refused = ThreadRuntime::record(&program(), RunOptions::default(), NullIo, Full);
    let error = refused.err().unwrap().to_string();
    assert!(error.contains("the trace cannot be written"), "{error}");
}
