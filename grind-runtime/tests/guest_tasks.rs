//! A module whose tasks are blocked has returned to its host, which goes on with them by `threadlink_poll`: what
//! `docs/abi.md` says of it, with a guest that does it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::machine::{BufferIo, Machine, MachineError, Pause, Value};
use grind_runtime::model::{Driven, Ending, ThreadId};
use grind_runtime::program::Program;
use grind_runtime::session::{self, DriveError, Outcome, RunOptions};
use std::path::Path;
use threadlink::abi::{self, Polled};

const SEEDS: u64 = 20;

fn guest(module: &str) -> Program {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    Program::new(&std::fs::read(programs.join(module)).unwrap()).unwrap()
}

fn program() -> Program {
    guest("wasm/clean_task_reentry.wasm")
}

fn drive(
    program: &Program,
    seed: u64,
    host: impl FnOnce(&mut Machine) -> Result<(), DriveError>,
) -> Outcome<BufferIo> {
    let (options, io) = (RunOptions::seeded(seed), BufferIo::default());
    session::drive(program, options, io, Driven::AsMainThread, host).unwrap()
}

/// Runs the guest until this thread has ended; others may go on.
fn until_ended(machine: &mut Machine, thread: ThreadId) -> Result<(), MachineError> {
    loop {
        match machine.run()? {
            Pause::ThreadEnded(ended) if ended == thread => return Ok(()),
            Pause::ThreadEnded(_) => {}
            other => panic!("{other:?} before {thread} has ended"),
        }
    }
}

/// Calls an export in an instance of its own, and returns what it does.
fn call(machine: &mut Machine, export: &str) -> Result<Vec<Value>, DriveError> {
    let thread = machine.spawn([export], [])?;
    until_ended(machine, thread)?;
    Ok(machine.join(thread)??)
}

fn poll(machine: &mut Machine) -> Result<Polled, DriveError> {
    match call(machine, abi::POLL)?[..] {
        [Value::I32(code)] => Ok(Polled::from_code(code).unwrap()),
        ref other => panic!("{other:?}"),
    }
}

fn word(machine: &mut Machine) -> Result<u32, DriveError> {
    match call(machine, "word")?[..] {
        [Value::I32(address)] => Ok(address as u32),
        ref other => panic!("{other:?}"),
    }
}

fn stdout(outcome: &Outcome<BufferIo>) -> &str {
    std::str::from_utf8(&outcome.io.stdout).unwrap()
}

#[test]
fn tasks_go_on_when_the_host_calls_in() {
    let program = program();
    for seed in 0..SEEDS {
        let outcome = drive(&program, seed, |machine| {
            assert_eq!(call(machine, "_start")?, []);
            // Nothing has been written, so calls change nothing.
            for _ in 0..3 {
                assert_eq!(poll(machine)?, Polled::Blocked);
            }
            let address = word(machine)?;
            machine.write(address, &2_u32.to_le_bytes())?;
            // The thread that the task waits for besides may take its time, but the host's calls let it run.
            let mut calls = 0;
            while poll(machine)? == Polled::Blocked {
                calls += 1;
                assert!(calls < 1000, "it never ends");
            }
            assert_eq!(poll(machine)?, Polled::Done);
            machine.end()?;
            Ok(())
        });
        assert_eq!(stdout(&outcome), "blocked\n42\n", "{seed}");
        assert_eq!(outcome.ending, Ending::Returned);
        assert_eq!(outcome.warnings, [""; 0]);
        let found = outcome.analysis.diagnoses;
        assert!(found.is_empty(), "{seed}: {found:?}");
    }
}

#[test]
fn a_host_that_does_not_wait_for_the_last_call_races() {
    let program = program();
    let outcome = drive(&program, 1, |machine| {
        let start = machine.spawn(["_start"], [])?;
        until_ended(machine, start)?;
        // Not joined: nothing orders what it did with the next call.
        assert_eq!(poll(machine)?, Polled::Blocked);
        machine.end()?;
        Ok(())
    });
    assert!(!outcome.analysis.diagnoses.is_empty());
}

#[test]
fn before_the_start_there_is_nothing_to_do() {
    let program = program();
    let outcome = drive(&program, 1, |machine| {
        // Before `_start` there are no tasks, in the instance that initialises the memory.
        assert_eq!(poll(machine)?, Polled::Done);
        machine.end()?;
        Ok(())
    });
    assert_eq!(stdout(&outcome), "");
}

#[test]
fn where_no_thread_can_wake_another_blocking_is_an_error_at_the_call() {
    let program = guest("wasip1/wasm/tasks.wasm");
    let outcome = drive(&program, 1, |machine| {
        // In one instance, as most hosts do it.
        let thread = machine.spawn(["_start", abi::POLL], [])?;
        until_ended(machine, thread)?;
        let code = Value::I32(Polled::Done.code());
        assert_eq!(machine.join(thread)??, [code]);
        machine.end()?;
        Ok(())
    });
    let expected = "all tasks are blocked, and this target cannot block a thread; \
        return to the host, which calls `threadlink_poll`\n\
        nobody waits for it: true\n\
        Ok(Blocked)\n\
        nothing provides the operation `read-file` of the host in this thread\n";
    assert_eq!(stdout(&outcome), expected);
    let found = outcome.analysis.diagnoses;
    assert!(found.is_empty(), "{found:?}");
}
