//! Standard input that keeps a reader waiting: only the threads that read wait, and a repeated run finds it where it
//! came.

use super::replay::pass;
use super::text;
use grind_runtime::detect::Diagnosis;
use grind_runtime::machine::io::{Answer, Call, Errno, HostIo, Node};
use grind_runtime::model::{Control, Ending};
use grind_runtime::program::Program;
use grind_runtime::session::{self, Outcome, Player, Recorder, RunOptions};
use std::any::Any;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// Gives a byte of input after so many questions, then the next, and then the end.
#[derive(Debug, Default)]
struct Slow {
    /// Questions before each byte; the last stands for the end.
    keeps: VecDeque<u32>,
    /// Keeps waiting for ever, in the end.
    open: bool,
    stdout: Vec<u8>,
    polls: u32,
    /// Asks the run to stop at this question.
    stop_at: Option<(u32, Arc<Control>)>,
}

impl Slow {
    fn new(keeps: impl IntoIterator<Item = u32>) -> Slow {
        Slow {
            keeps: keeps.into_iter().collect(),
            ..Slow::default()
        }
    }

    fn for_ever() -> Slow {
        Slow {
            open: true,
            ..Slow::default()
        }
    }
}

impl HostIo for Slow {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        match *call {
            Call::Write { node, bytes, .. } if node == Node::STDOUT => {
                self.stdout.extend_from_slice(bytes);
                Ok(Answer::Done)
            }
            Call::Poll { .. } => {
                self.polls += 1;
                if let Some((at, control)) = &self.stop_at
                    && self.polls >= *at
                {
                    control.request_stop();
                }
                Ok(match self.keeps.front_mut() {
                    Some(0) => Answer::Done,
                    Some(left) => {
                        *left -= 1;
                        Answer::NotYet
                    }
                    None if self.open => Answer::NotYet,
                    None => Answer::Done,
                })
            }
            Call::Read { .. } => match self.keeps.pop_front() {
                Some(_) if !self.keeps.is_empty() => Ok(Answer::Bytes(vec![b'x'])),
                _ => Ok(Answer::Bytes(Vec::new())),
            },
            _ => Err(Errno::Nosys),
        }
    }
}

fn c_guest() -> Program {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../test-programs/c/wasm/clean_stdin.wasm");
    Program::new(&std::fs::read(path).unwrap()).unwrap()
}

fn run(program: &Program, seed: u64, io: Slow) -> Outcome<Slow> {
    let control = match &io.stop_at {
        Some((_, control)) => Arc::clone(control),
        None => Arc::default(),
    };
    let options = RunOptions::seeded(seed).control(control);
    session::run(program, options, io).unwrap()
}

#[test]
fn others_run_while_one_waits() {
    let program = c_guest();
    for seed in 0..20 {
        let outcome = run(&program, seed, Slow::new([1000, 3, 1000]));
        assert_eq!(outcome.exit_code(), 0);
        let text = String::from_utf8(outcome.io.stdout).unwrap();
        assert_eq!(text, "worked 499500\nread 2\n", "seed {seed}");
        // While others run, it is not asked at every step.
        assert!(outcome.io.polls < 2200, "{}", outcome.io.polls);
    }
}

#[test]
fn a_run_that_waits_can_be_stopped() {
    let program = c_guest();
    let io = Slow {
        stop_at: Some((500, Arc::default())),
        ..Slow::for_ever()
    };
    let outcome = run(&program, 0, io);
    assert_eq!(outcome.ending, Ending::TimedOut);
    assert_eq!(outcome.io.stdout, b"worked 499500\n");
    assert!(outcome.io.polls <= 501, "{}", outcome.io.polls);
}

#[test]
fn the_same_answers_make_the_same_run() {
    let program = c_guest();
    for seed in 0..10 {
        for keeps in [[0, 0, 0], [1, 0, 5], [40, 40, 40]] {
            let recorder = Recorder::new(Box::new(Slow::new(keeps)));
            let (first, io) = pass(&program, seed, Box::new(recorder));
            let io: Box<dyn Any> = io;
            let inputs = io.downcast::<Recorder>().unwrap().finish().1;
            let (second, _) = pass(&program, seed, Box::new(Player::new(inputs)));
            assert_eq!(first, second);
            assert_eq!(first.ending, Ending::Returned);
        }
    }
}

const IMPORTS: &str = r#"
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_fdstat_set_flags" (func $flags (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $time (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (memory (export "memory") 1 1 shared)"#;

#[test]
fn a_race_after_input_has_both_stacks() {
    let program = text(&format!(
        r#"(module {IMPORTS}
            (data (i32.const 16) "\20\00\00\00\01\00\00\00")
            (func (export "thread_start") (param i32)
                (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
                (i32.store (i32.const 64) (i32.const 1)))
            (func (export "_start")
                (drop (call $create (i32.const 0) (i32.const 0)))
                (i32.store (i32.const 64) (i32.const 2))
                (drop (call $join (i32.load (i32.const 0))))))"#
    ));
    for keep in [0, 1, 7] {
        let outcome = run(&program, 0, Slow::new([keep, 0]));
        let found = &outcome.analysis.diagnoses;
        let [Diagnosis::DataRace { first, second, .. }] = &found
            .iter()
            .map(|found| found.diagnosis.clone())
            .collect::<Vec<_>>()[..]
        else {
            panic!("{found:?}");
        };
        assert!(!first.stack.is_empty() && !second.stack.is_empty());
        assert_eq!(outcome.analysis.stats.unresolved, 0);
        // The second pass asks nobody.
        assert!(outcome.io.polls <= keep + 2, "{}", outcome.io.polls);
    }
}

/// Waits for input, for at most `timeout`, and exits with the number of the event and the milliseconds that it took.
fn waits_for_either(timeout: &str, flags: u32) -> Program {
    text(&format!(
        r#"(module {IMPORTS}
            (func (export "thread_start") (param i32))
            (func (export "_start")
                (i64.store (i32.const 128) (i64.const 7))
                (i32.store8 (i32.const 136) (i32.const 1))
                (i64.store (i32.const 176) (i64.const 9))
                (i32.store (i32.const 192) (i32.const 1))
                (i64.store (i32.const 200) {timeout})
                (i32.store16 (i32.const 216) (i32.const {flags}))
                (if (call $poll (i32.const 128) (i32.const 256) (i32.const 2) (i32.const 512))
                    (then (unreachable)))
                (if (i32.ne (i32.load (i32.const 512)) (i32.const 1)) (then (unreachable)))
                (drop (call $time (i32.const 1) (i64.const 0) (i32.const 520)))
                (call $exit (i32.add
                    (i32.mul (i32.load (i32.const 256)) (i32.const 10))
                    (i32.wrap_i64 (i64.div_u (i64.load (i32.const 520)) (i64.const 100000000)))))))"#
    ))
}

#[test]
fn a_poll_ends_with_input_or_with_its_clock() {
    let half_a_second = "(i64.const 500000000)";
    for (timeout, flags) in [
        (half_a_second, 0),
        // A time at which it ends: half a second after the beginning.
        (half_a_second, 1),
    ] {
        let program = waits_for_either(timeout, flags);
        let ending = |io| run(&program, 0, io).ending;
        assert_eq!(ending(Slow::for_ever()), Ending::Exited(95));
        assert_eq!(ending(Slow::new([3, 0])), Ending::Exited(70));
        // The clock, after as many questions as half a second takes.
        assert_eq!(ending(Slow::new([1000, 0])), Ending::Exited(95));
        assert_eq!(ending(Slow::new([12, 0])), Ending::Exited(72));
    }
}

#[test]
fn a_read_that_must_not_wait_says_so() {
    let program = text(&format!(
        r#"(module {IMPORTS}
            (data (i32.const 16) "\20\00\00\00\01\00\00\00")
            (func (export "thread_start") (param i32))
            (func (export "main") (result i32)
                (drop (call $flags (i32.const 0) (i32.const 4)))
                (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24))))"#
    ));
    let ending = |io| run(&program, 0, io).ending;
    assert_eq!(
        ending(Slow::for_ever()),
        Ending::Exited(Errno::Again as i32)
    );
    assert_eq!(ending(Slow::new([0, 0])), Ending::Exited(0));
}
