//! Machines that are driven: what the driver does is part of the run, is checked, and is repeated from its log.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/recording.rs"]
#[expect(dead_code, reason = "not all suites use all of it")]
mod recording;

use grind_runtime::detect::Diagnosis;
use grind_runtime::machine::{
    ActError, DriverAct, Machine, MachineConfig, MachineError, NullIo, Pause, ThreadError, Value,
};
use grind_runtime::model::{
    Control, Driven, Ending, Event, EventKind, NullSink, ThreadId, Unfinished,
};
use grind_runtime::program::embedder::{HostImport, Reply, Wake};
use grind_runtime::program::{Program, ProgramOptions};
use grind_runtime::schedule::Random;
use grind_runtime::session::{self, DriveError, ReplayOptions, RunOptions};
use grind_runtime::trace::{Detail, TraceReader, TraceWriter};
use recording::Memory;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

/// Waits for a key of the embedder; the result says whether it was woken.
fn wait(timeout: Option<Duration>) -> HostImport {
    HostImport::wrap("env", "wait", move |guest, (key,): (u32,)| {
        Ok(match guest.woken() {
            None => Reply::Block {
                key: key.into(),
                timeout,
            },
            Some(Wake::Woken) => Reply::Return(1),
            Some(Wake::DeadlinePassed) => Reply::Return(0),
        })
    })
}

fn wake() -> HostImport {
    HostImport::wrap("env", "wake", |guest, (key, count): (u32, u32)| {
        guest.wake(key.into(), count);
        Ok(())
    })
}

const GUEST: &str = r#"(module
    (import "env" "wait" (func $wait (param i32) (result i32)))
    (import "env" "wake" (func $wake (param i32 i32)))
    (import "env" "interrupt" (func $interrupt))
    (import "threadlink" "start_lock" (func $start_lock (param i32)))
    (import "threadlink" "finish_lock" (func $finish_lock (param i32)))
    (memory 1 1 shared)
    (func (export "_start"))
    (func (export "write") (param i32) (i32.store (i32.const 64) (local.get 0)))
    (func (export "read") (result i32) (i32.load (i32.const 64)))
    (func (export "wait_and_read") (param $key i32) (result i32)
        (if (result i32) (call $wait (local.get $key))
            (then (i32.load (i32.const 64)))
            (else (i32.const -1))))
    (func (export "write_and_wake") (param $key i32)
        (i32.store (i32.const 64) (i32.const 5))
        (call $wake (local.get $key) (i32.const 1)))
    (func (export "spin") (loop $for_ever (br $for_ever)))
    (func (export "call_out") (loop $for_ever
        (i32.store (i32.const 64) (i32.const 3))
        (call $interrupt)
        (br $for_ever)))
    (func (export "lock_and_sleep") (param $lock i32)
        (call $start_lock (local.get $lock))
        (call $finish_lock (local.get $lock))
        (drop (memory.atomic.wait32 (i32.const 128) (i32.const 0) (i64.const -1))))
    (func (export "ask_for") (param $lock i32)
        (call $start_lock (local.get $lock))
        (drop (memory.atomic.wait32 (local.get $lock) (i32.const 0) (i64.const -1))))
    (func (export "sleep")
        (drop (memory.atomic.wait32 (i32.const 128) (i32.const 0) (i64.const -1)))))"#;

fn program(timeout: Option<Duration>) -> Program {
    program_of(timeout, &Arc::default())
}

/// One whose `call_out` interrupts the run of this control, for ever.
fn program_of(timeout: Option<Duration>, control: &Arc<Control>) -> Program {
    let control = Arc::clone(control);
    let interrupt = HostImport::wrap("env", "interrupt", move |_, ()| {
        control.interrupt();
        Ok(())
    });
    let options = ProgramOptions::default().imports(vec![wait(timeout), wake(), interrupt]);
    Program::with_options(&wat::parse_str(GUEST).unwrap(), options).unwrap()
}

fn machine(program: &Program, driven: Driven) -> Machine {
    let scheduler = Box::new(Random::new(3));
    let mut config = MachineConfig::new(scheduler, Box::new(NullSink), Box::new(NullIo));
    config.spec.entry.unfinished = Unfinished::End;
    Machine::new(program, config.driven(driven)).unwrap()
}

/// Races found in a driven run.
fn races(
    seed: u64,
    drive: impl FnOnce(&mut Machine) -> Result<(), DriveError>,
) -> Vec<(ThreadId, ThreadId)> {
    let options = RunOptions::seeded(seed);
    let driven = Driven::AsMainThread;
    let outcome = session::drive(&program(None), options, NullIo, driven, drive).unwrap();
    assert_eq!(outcome.warnings, [""; 0]);
    assert_eq!(outcome.analysis.stats.unresolved, 0);
    let diagnoses = outcome.analysis.diagnoses.iter();
    let races = diagnoses.map(|one| match &one.diagnosis {
        Diagnosis::DataRace { first, second, .. } => (first.thread, second.thread),
        other => panic!("{other:?}"),
    });
    races.collect()
}

/// Until no thread of the guest can go on.
fn run_on(machine: &mut Machine) -> Result<Vec<ThreadId>, MachineError> {
    let mut ended = Vec::new();
    loop {
        match machine.run()? {
            Pause::ThreadEnded(thread) => ended.push(thread),
            _ => return Ok(ended),
        }
    }
}

#[test]
fn a_machine_can_go_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    let program = program(None);
    let mut machine = machine(&program, Driven::AsMainThread);
    is_send(&machine);
    let thread = machine.spawn(["read"], []).unwrap();
    let ended = std::thread::spawn(move || {
        let pause = machine.run().unwrap();
        (pause, machine.join(thread).unwrap().unwrap())
    });
    let expected = (Pause::ThreadEnded(thread), vec![Value::I32(0)]);
    assert_eq!(ended.join().unwrap(), expected);
}

#[test]
fn what_the_driver_does_is_what_the_main_thread_does() {
    for seed in 0..10 {
        // Created by it: ordered behind. Not joined: its write races with the read of the driver.
        let write_before = |machine: &mut Machine| {
            machine.write(64, &7_u32.to_le_bytes())?;
            machine.spawn(["read"], [])?;
            run_on(machine)?;
            Ok(())
        };
        assert_eq!(races(seed, write_before), []);
        for join in [true, false] {
            let found = races(seed, |machine| {
                let thread = machine.spawn(["write"], [9])?;
                run_on(machine)?;
                if join {
                    machine.join(thread)??;
                }
                assert_eq!(machine.read(64, 4)?, 9_u32.to_le_bytes());
                Ok(())
            });
            let expected = if join {
                vec![]
            } else {
                vec![(ThreadId(1), ThreadId(0))]
            };
            assert_eq!(found, expected);
        }
    }
}

#[test]
fn who_wakes_in_a_function_of_the_embedder_orders_who_waits_in_one() {
    for seed in 0..20 {
        let woken = races(seed, |machine| {
            machine.spawn(["wait_and_read"], [1])?;
            run_on(machine)?;
            machine.spawn(["write_and_wake"], [1])?;
            assert_eq!(run_on(machine)?.len(), 2);
            Ok(())
        });
        assert_eq!(woken, [], "{seed}");
        // Woken from outside, there is no order with the write.
        let from_outside = races(seed, |machine| {
            machine.spawn(["wait_and_read"], [1])?;
            run_on(machine)?;
            machine.spawn(["write"], [1])?;
            run_on(machine)?;
            machine.wake(1, 1)?;
            assert_eq!(run_on(machine)?.len(), 1);
            Ok(())
        });
        assert_eq!(from_outside, [(ThreadId(2), ThreadId(1))], "{seed}");
    }
}

#[test]
fn a_key_wakes_its_own_waiters_in_their_order_and_no_others() {
    let program = program(None);
    let mut machine = machine(&program, Driven::AsMainThread);
    let first = machine.spawn(["wait_and_read"], [1]).unwrap();
    run_on(&mut machine).unwrap();
    let second = machine.spawn(["wait_and_read"], [1]).unwrap();
    let other = machine.spawn(["wait_and_read"], [2]).unwrap();
    assert_eq!(run_on(&mut machine).unwrap(), []);
    for (key, expected) in [(1, first), (2, other), (3, other), (1, second)] {
        machine.wake(key, 1).unwrap();
        let expected = if key == 3 { vec![] } else { vec![expected] };
        assert_eq!(run_on(&mut machine).unwrap(), expected, "{key}");
    }
}

#[test]
fn a_time_out_passes_when_time_does() {
    let program = program(Some(Duration::from_nanos(500)));
    let mut machine = machine(&program, Driven::AsMainThread);
    let thread = machine.spawn(["wait_and_read"], [1]).unwrap();
    let Pause::Waiting { deadline: Some(_) } = machine.run().unwrap() else {
        panic!("it waits, until a deadline");
    };
    assert_eq!(
        machine.run().unwrap(),
        machine.run().unwrap(),
        "nothing changes by asking"
    );
    machine.elapse().unwrap();
    assert_eq!(machine.run().unwrap(), Pause::ThreadEnded(thread));
    assert_eq!(machine.join(thread).unwrap(), Ok(vec![Value::I32(-1)]));
    assert_eq!(machine.elapse(), Err(ActError::NoDeadline));
}

#[test]
fn a_thread_can_be_aborted_wherever_it_is() {
    let program = program(None);
    for (export, args) in [
        ("spin", &[][..]),
        ("sleep", &[]),
        ("wait_and_read", &[1]),
        ("read", &[]),
    ] {
        let scheduler = Box::new(Random::new(3));
        let mut config = MachineConfig::new(scheduler, Box::new(NullSink), Box::new(NullIo));
        config.fuel = 1000;
        let control = Arc::clone(&config.control);
        let mut machine = Machine::new(&program, config.driven(Driven::AsMainThread)).unwrap();
        let thread = machine.spawn([export], args.iter().copied()).unwrap();
        if export == "spin" {
            control.interrupt();
            assert_eq!(machine.run().unwrap(), Pause::Interrupted);
        } else if export != "read" {
            assert!(matches!(machine.run().unwrap(), Pause::Waiting { .. }));
        }
        machine.abort(thread).unwrap();
        assert_eq!(machine.abort(thread), Err(ActError::NoThread(thread)));
        assert_eq!(run_on(&mut machine).unwrap(), [thread], "{export}");
        assert_eq!(machine.join(thread).unwrap(), Err(ThreadError::Aborted));
        // The machine is as good as before.
        let next = machine.spawn(["write"], [1]).unwrap();
        assert_eq!(run_on(&mut machine).unwrap(), [next]);
    }
}

#[test]
fn a_driver_that_says_no_more_leaves_a_deadlock() {
    let options = RunOptions::default();
    let driven = Driven::AsMainThread;
    let mut waits = options.clone();
    waits.spec.entry.unfinished = Unfinished::Wait;
    let outcome = session::drive(&program(None), waits, NullIo, driven, |machine| {
        machine.spawn(["wait_and_read"], [1])?;
        Ok::<_, DriveError>(())
    });
    assert_eq!(outcome.unwrap().ending, Ending::Deadlock);
}

#[test]
fn an_act_that_cannot_be_is_refused_and_nothing_happens() {
    let program = program(None);
    let mut machine = machine(&program, Driven::AsMainThread);
    let thread = machine.spawn(["wait_and_read"], [1]).unwrap();
    let main = ThreadId(0);
    let gone = ThreadId(7);
    let nothing: [&str; 0] = [];
    let refused = [
        (
            machine.spawn(["gone"], []).err(),
            ActError::NoFunction("gone".to_owned()),
        ),
        (
            machine.spawn(nothing, []).err(),
            ActError::NoFunction(String::new()),
        ),
        (machine.join(thread).err(), ActError::NotJoinable(thread)),
        (machine.join(main).err(), ActError::NoThread(main)),
        (machine.join(gone).err(), ActError::NoThread(gone)),
        (machine.abort(main).err(), ActError::NoThread(main)),
        (machine.abort(gone).err(), ActError::NoThread(gone)),
        (
            machine.read(u32::MAX, 2).err(),
            ActError::OutOfBounds {
                addr: u32::MAX,
                len: 2,
            },
        ),
        (
            machine.write(65_535, &[1, 2]).err(),
            ActError::OutOfBounds {
                addr: 65_535,
                len: 2,
            },
        ),
    ];
    for (got, wanted) in refused {
        assert_eq!(got, Some(wanted));
    }
    let error = machine.spawn(["write"], []).unwrap_err().to_string();
    assert_eq!(error, "the export `write` takes (i32), and not 0 numbers");
    machine.end().unwrap();
    assert_eq!(machine.end(), Err(ActError::Over));
    assert_eq!(machine.run().unwrap(), Pause::Ended);

    // One whose main thread is the guest's own.
    let mut outside = self::machine(&program, Driven::FromOutside);
    assert_eq!(outside.read(0, 1), Err(ActError::NotDriven));
    assert_eq!(outside.wake(1, 1), Ok(()));
    let mut alone = self::machine(&program, Driven::ByNobody);
    assert_eq!(alone.wake(1, 1), Err(ActError::Over));
}

#[test]
fn an_engine_that_is_not_there_is_named() {
    let scheduler = Box::new(Random::new(3));
    let mut config = MachineConfig::new(scheduler, Box::new(NullSink), Box::new(NullIo));
    config.engine = Some("v8".to_owned());
    let error = Machine::new(&program(None), config)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "there is no engine `v8` in this grind, which has wasmi"
    );
}

/// A driver that does a bit of everything, at times of its own.
fn busy(machine: &mut Machine) -> Result<(), DriveError> {
    let calling = machine.spawn(["call_out"], [])?;
    machine.spawn(["wait_and_read"], [1])?;
    machine.spawn(["wait_and_read"], [2])?;
    let mut interruptions = 0;
    while interruptions < 9 {
        if machine.run()? == Pause::Interrupted {
            interruptions += 1;
            machine.spawn(["write"], [interruptions])?;
        }
    }
    machine.write(68, &[1])?;
    machine.abort(calling)?;
    run_on(machine)?;
    machine.wake(2, 1)?;
    machine.wake(1, 1)?;
    run_on(machine)?;
    machine.read(64, 8)?;
    Ok(())
}

#[test]
fn a_trace_of_a_driven_run_replays_without_its_driver() {
    for (seed, detail) in [(1, Detail::Light), (2, Detail::Full)] {
        let options = RunOptions::seeded(seed);
        let program = program_of(None, &options.control);
        let driven = Driven::AsMainThread;
        let mut header = recording::header(&program, &options, detail);
        header.driven = driven;
        let file = Memory::default();
        let out: session::TraceOutput = Box::new(file.clone());
        let writer = TraceWriter::create(out, &header, program.sites(), None).unwrap();
        let (live, writer) =
            session::drive_and_record(&program, options, NullIo, driven, writer, busy).unwrap();
        assert!(!live.analysis.diagnoses.is_empty(), "the writes race");
        assert_eq!(
            live.analysis.stats.unresolved, 0,
            "the second run repeats the acts"
        );
        writer.finish(&live.footer(0, 0)).unwrap();
        let open = || TraceReader::open(Box::new(Cursor::new(file.bytes())) as session::TraceInput);
        let again =
            session::replay(&program, open, ReplayOptions::default(), Box::new(NullIo)).unwrap();
        assert!(!again.truncated);
        assert_eq!(again.outcome.ending, live.ending);
        assert_eq!(again.outcome.stats, live.stats);
        assert_eq!(again.outcome.analysis.diagnoses, live.analysis.diagnoses);
    }
}

/// The trace of a driven run in which the driver did this, and nothing else happened.
fn trace_of(program: &Program, driven: Driven, act: Vec<u8>) -> Vec<u8> {
    let mut header = recording::header(program, &RunOptions::default(), Detail::Light);
    header.driven = driven;
    let file = Memory::default();
    let out: session::TraceOutput = Box::new(file.clone());
    let mut writer = TraceWriter::create(out, &header, program.sites(), None).unwrap();
    let start = Event {
        thread: ThreadId(0),
        kind: EventKind::ThreadStart,
    };
    writer.event(&start, &[]);
    writer.act(0, act);
    drop(writer.finish_truncated().unwrap());
    file.bytes()
}

#[test]
fn a_log_of_another_run_is_an_error_that_says_what_could_not_be_done() {
    let program = program(None);
    let bytes = |act: &DriverAct| postcard::to_stdvec(act).unwrap();
    let gone = ThreadId(9);
    let acts = [
        (
            bytes(&DriverAct::Join { thread: gone }),
            "no T9 that the driver could act on",
        ),
        (
            bytes(&DriverAct::Abort { thread: gone }),
            "no T9 that the driver could act on",
        ),
        (
            bytes(&DriverAct::Elapse),
            "no thread waits for time to pass",
        ),
        (
            bytes(&DriverAct::Spawn {
                exports: vec!["gone".to_owned()],
                args: Vec::new(),
            }),
            "no exported function `gone`",
        ),
        (
            bytes(&DriverAct::Read {
                addr: 65_530,
                len: 7,
            }),
            "are not all in memory",
        ),
        (vec![200, 1, 2], "an act that this grind does not know"),
    ];
    for (act, said) in acts {
        let trace = trace_of(&program, Driven::AsMainThread, act);
        let open =
            || TraceReader::open(Box::new(Cursor::new(trace.clone())) as session::TraceInput);
        let replayed = session::replay(&program, open, ReplayOptions::default(), Box::new(NullIo));
        let error = replayed.err().unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
    // In a run that nobody drives.
    let trace = trace_of(&program, Driven::ByNobody, bytes(&DriverAct::End));
    let open = || TraceReader::open(Box::new(Cursor::new(trace.clone())) as session::TraceInput);
    let replayed = session::replay(&program, open, ReplayOptions::default(), Box::new(NullIo));
    assert!(replayed.is_err());
}

#[test]
fn what_waits_for_a_lock_of_an_aborted_thread_is_told_at_the_end_of_the_run() {
    for (taken, stuck) in [(256, true), (512, false)] {
        let driven = Driven::AsMainThread;
        let outcome = session::drive(
            &program(None),
            RunOptions::default(),
            NullIo,
            driven,
            |machine| {
                let holder = machine.spawn(["lock_and_sleep"], [taken])?;
                run_on(machine)?;
                machine.abort(holder)?;
                machine.spawn(["ask_for"], [256])?;
                run_on(machine)?;
                Ok::<_, DriveError>(())
            },
        );
        let diagnoses = outcome.unwrap().analysis.diagnoses;
        let deadlocks = diagnoses
            .iter()
            .filter(|one| matches!(one.diagnosis, Diagnosis::Deadlock { .. }));
        assert_eq!(deadlocks.count() == 1, stuck, "{diagnoses:?}");
        assert_eq!(diagnoses.is_empty(), !stuck, "{diagnoses:?}");
    }
}

#[test]
fn a_thread_for_which_there_is_no_room_is_refused_again_when_the_run_is_repeated() {
    let program = program(None);
    let mut options = RunOptions::seeded(4);
    options.spec.limits.threads = 2;
    let driven = Driven::AsMainThread;
    let mut header = recording::header(&program, &options, Detail::Full);
    header.driven = driven;
    let file = Memory::default();
    let out: session::TraceOutput = Box::new(file.clone());
    let writer = TraceWriter::create(out, &header, program.sites(), None).unwrap();
    let drive = |machine: &mut Machine| {
        machine.spawn(["write"], [1])?;
        let refused = machine.spawn(["write"], [2]);
        assert_eq!(refused, Err(ActError::TooManyThreads));
        run_on(machine)?;
        // It races with the write of who was not joined.
        machine.read(64, 4)?;
        Ok::<_, DriveError>(())
    };
    let (live, writer) =
        session::drive_and_record(&program, options, NullIo, driven, writer, drive).unwrap();
    assert_eq!(live.analysis.diagnoses.len(), 1);
    assert_eq!(live.analysis.stats.unresolved, 0);
    assert_eq!(live.limits_reached.len(), 1);
    writer.finish(&live.footer(0, 0)).unwrap();
    let open = || TraceReader::open(Box::new(Cursor::new(file.bytes())) as session::TraceInput);
    let again =
        session::replay(&program, open, ReplayOptions::default(), Box::new(NullIo)).unwrap();
    assert_eq!(again.outcome.limits_reached, live.limits_reached);
    assert_eq!(again.outcome.analysis.diagnoses, live.analysis.diagnoses);
}
