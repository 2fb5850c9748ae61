//! Runs that are said wrongly: each is an error that says what and where.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::machine::{self, Machine, MachineConfig, MachineError, NullIo};
use grind_runtime::model::{Driven, Ending, NullSink, RunSpec, Slice, ThreadId};
use grind_runtime::program::Program;
use grind_runtime::schedule::{Point, Random, RoundRobin, Scheduler};
use grind_runtime::session::{self, Preopen, RunOptions};

/// Two threads that yield to each other.
const GUEST: &str = r#"(module
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (import "threadlink" "thread_yield" (func $yield))
    (memory 1 1 shared)
    (func (export "thread_start") (param i32) (call $yield) (call $yield))
    (func (export "_start")
        (drop (call $create (i32.const 8) (i32.const 0)))
        (call $yield)
        (drop (call $join (i32.load (i32.const 8))))))"#;

fn program() -> Program {
    Program::new(&wat::parse_str(GUEST).unwrap()).unwrap()
}

/// Decides rightly so often, and then this.
#[derive(Debug)]
struct Wrong {
    scheduler: Box<dyn Scheduler>,
    right: u32,
    then: fn(&Point<'_>) -> Slice,
}

impl Scheduler for Wrong {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        match self.right.checked_sub(1) {
            Some(left) => {
                self.right = left;
                self.scheduler.next(point)
            }
            None => (self.then)(point),
        }
    }

    fn random(&mut self) -> u64 {
        self.scheduler.random()
    }
}

fn run(right: u32, then: fn(&Point<'_>) -> Slice) -> Result<Ending, MachineError> {
    let scheduler = Box::new(Wrong {
        scheduler: Box::new(RoundRobin::new(0)),
        right,
        then,
    });
    let config = MachineConfig::new(scheduler, Box::new(NullSink), Box::new(NullIo));
    machine::run(&program(), config).map(|result| result.ending)
}

#[test]
fn a_thread_that_cannot_run_is_an_error_wherever_it_is_decided_for() {
    let nobody = |_: &Point<'_>| Slice {
        thread: ThreadId(7),
        words: 10,
    };
    let mut before = 0;
    let mut points = 0;
    // Until the run is over before that.
    while let Err(error) = run(points, nobody) {
        let MachineError::Scheduler {
            slice,
            events,
            runnable: false,
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(slice.thread, ThreadId(7));
        assert!(events >= before);
        before = events;
        points += 1;
    }
    assert!(points > 5, "only {points} decisions");
    assert_eq!(run(points, nobody).unwrap(), Ending::Returned);
}

#[test]
fn a_slice_of_no_words_is_an_error() {
    let none = |point: &Point<'_>| Slice {
        thread: point.runnable[0],
        words: 0,
    };
    let error = run(2, none).unwrap_err();
    assert!(
        matches!(error, MachineError::Scheduler { runnable: true, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("for 0 words"), "{error}");
}

#[test]
fn directories_are_those_that_the_run_names() {
    let work = tempfile::tempdir().unwrap();
    let open = || Preopen::open(work.path(), "/work").unwrap();
    let named = RunSpec::default().preopens(vec![b"/work".to_vec()]);
    let run = |options: RunOptions| session::run(&program(), options, NullIo).map(|_| ());
    assert!(run(RunOptions::default().directory(open())).is_ok());
    for options in [
        RunOptions::from(named.clone()),
        RunOptions::default().directories(vec![open()]),
        RunOptions::from(named).directory(open()),
    ] {
        let error = run(options).unwrap_err();
        assert!(matches!(error, MachineError::Directories { .. }), "{error}");
    }
}

#[test]
fn what_contradicts_itself_is_an_error_that_says_so() {
    let spec = |function: Option<&str>, after_start| {
        let mut spec = RunSpec::default();
        spec.entry.function = function.map(str::to_owned);
        spec.entry.after_start = after_start;
        spec
    };
    let mut small = spec(None, false);
    small.initial_memory = Some(65_536);
    small.limits.memory = 1;
    let cases = [
        (spec(None, true), Driven::ByNobody, "names none"),
        (
            spec(Some("thread_start"), false),
            Driven::AsMainThread,
            "the driver is the main thread",
        ),
        (small, Driven::ByNobody, "more than the limit of 1"),
    ];
    for (spec, driven, said) in cases {
        let scheduler = Box::new(Random::new(0));
        let mut config = MachineConfig::new(scheduler, Box::new(NullSink), Box::new(NullIo));
        config.spec = spec;
        let error = Machine::new(&program(), config.driven(driven)).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}
