//! A run that is made in steps is the run that is made at once, however it is cut: the same report, decisions and trace.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::machine::io::{Answer, Call, Errno};
use grind_runtime::machine::{BufferIo, HostIo, NullIo};
use grind_runtime::program::{Loading, Program, ProgramError, ProgramOptions, Translate};
use grind_runtime::report::json;
use grind_runtime::session::{
    self, Outcome, ReplayOptions, RunOptions, Step, SteppedReplay, SteppedRun, TraceInput,
    TraceOutput,
};
use grind_runtime::trace::{Detail, Header, ModuleHash, TraceReader, TraceWriter};
use grind_runtime::{Driven, Ending, Entry, MachineError, RunSpec, Symbolizer};
use std::io::{self, Cursor, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};

fn module(path: &str) -> Vec<u8> {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    std::fs::read(programs.join(path)).unwrap()
}

fn guest(path: &str) -> Program {
    Program::new(&module(path)).unwrap()
}

/// A program that is loaded in steps, and how many they were.
fn loaded(wasm: &[u8], options: ProgramOptions) -> Result<(Program, usize), ProgramError> {
    let mut loading = Loading::new(wasm, options);
    for steps in 1.. {
        match loading.step()? {
            ControlFlow::Continue(left) => loading = left,
            ControlFlow::Break(program) => return Ok((program, steps)),
        }
    }
    unreachable!("it returns")
}

/// Whose functions are translated when they are called.
fn as_called() -> ProgramOptions {
    ProgramOptions::default().translate(Translate::AsCalled)
}

/// Guests that race, deadlock, trap, sleep, spin, print and read.
const GUESTS: &[&str] = &[
    "wasm/race_counter.wasm",
    "wasm/race_two_bugs.wasm",
    "wasm/deadlock_ab_ba.wasm",
    "wasm/trap_in_thread.wasm",
    "wasm/clean_timeouts.wasm",
    "wasm/clean_bounded_queue.wasm",
    "wasip1-threads/wasm/clean_spin_sleep.wasm",
    "wasip1-threads/wasm/clean_output_time.wasm",
    "wasip1-threads/wasm/race_rayon_join.wasm",
];

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn writer(program: &Program, options: &RunOptions) -> (Buffer, TraceWriter<TraceOutput>) {
    let buffer = Buffer::default();
    let header = Header {
        grind: "0".to_owned(),
        module: b"app.wasm".to_vec(),
        module_hash: ModuleHash::of(program.original()),
        embedded: None,
        sites: 0,
        detail: Detail::Full,
        spec: options.spec.clone(),
        interceptors: Vec::new(),
        driven: Driven::ByNobody,
        fuel: options.fuel,
    };
    let out: TraceOutput = Box::new(buffer.clone());
    let writer = TraceWriter::create(out, &header, program.sites(), None).unwrap();
    (buffer, writer)
}

fn report<Io>(program: &Program, options: &RunOptions, outcome: &Outcome<Io>) -> String {
    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    json::to_string(&outcome.report(program, &symbolizer, options))
}

/// The run in steps, and how many it took.
fn stepped<Io: HostIo>(
    mut run: SteppedRun<Io>,
) -> (Outcome<Io>, Option<TraceWriter<TraceOutput>>, usize) {
    for steps in 1.. {
        match run.step().unwrap() {
            Step::More(left) => run = left,
            Step::Done((outcome, trace)) => return (outcome, trace, steps),
        }
    }
    unreachable!("it returns")
}

#[test]
fn a_program_in_steps_is_the_program_at_once() {
    for name in GUESTS {
        let wasm = module(name);
        let whole = Program::new(&wasm).unwrap();
        let (cut, steps) = loaded(&wasm, as_called()).unwrap();
        // Each step is through 2 KiB of code or one function, and all code is gone through twice.
        assert!(steps > wasm.len() / 8192, "{name}: {steps} steps");
        assert_eq!(cut.lowered(), whole.lowered(), "{name}");
        assert_eq!(cut.sites(), whole.sites(), "{name}");
        assert_eq!(cut.interceptors(), whole.interceptors(), "{name}");
        assert_eq!(cut.lock_words(), whole.lock_words(), "{name}");
        // Whatever is wrong is said in the same words.
        for end in (0..wasm.len()).step_by(wasm.len() / 40) {
            let [cut, whole] = [
                loaded(&wasm[..end], as_called()).map(drop),
                Program::new(&wasm[..end]).map(drop),
            ]
            .map(|refused| refused.unwrap_err().to_string());
            assert_eq!(cut, whole, "{name}, {end} bytes");
        }
    }
}

#[test]
fn a_run_in_steps_is_the_run_at_once() {
    for name in GUESTS {
        let program = guest(name);
        let (called, _) = loaded(&module(name), as_called()).unwrap();
        for seed in 0..4 {
            let options = RunOptions::seeded(seed);
            let (at_once, trace) = writer(&program, &options);
            let io = BufferIo::default();
            let (whole, trace) = session::record(&program, options.clone(), io, trace).unwrap();
            trace.finish(&whole.footer(0, 0)).unwrap();

            let (in_steps, trace) = writer(&program, &options);
            let io = BufferIo::default();
            let run = SteppedRun::new(called.clone(), options.clone(), io, Some(trace));
            let (cut, trace, steps) = stepped(run);
            trace.unwrap().finish(&cut.footer(0, 0)).unwrap();

            assert!(steps > 10, "{name}: {steps} steps cut nothing");
            assert_eq!(cut.ending, whole.ending, "{name}, seed {seed}");
            assert_eq!(cut.stats, whole.stats, "{name}, seed {seed}");
            assert_eq!(cut.decisions, whole.decisions, "{name}, seed {seed}");
            assert_eq!(cut.io.stdout, whole.io.stdout, "{name}, seed {seed}");
            let reports = [&cut, &whole].map(|outcome| report(&program, &options, outcome));
            assert_eq!(reports[0], reports[1], "{name}, seed {seed}");
            let (at_once, in_steps) = (at_once.0.lock().unwrap(), in_steps.0.lock().unwrap());
            assert_eq!(*in_steps, *at_once, "{name}, seed {seed}");
        }
    }
}

/// Spins for longer than a thread is given fuel for, without touching memory, and fills memory in one instruction that needs more than
/// a step.
const SPINS: &str = r#"(module
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (memory 16 16 shared)
    (func $spin (param $n i32)
        (loop $again
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $again (local.get $n))))
    (func $work
        (call $spin (i32.const 700000))
        (memory.fill (i32.const 65536) (i32.const 1) (i32.const 900000))
        (call $spin (i32.const 700000))
        (i32.store (i32.const 64) (i32.const 1)))
    (func (export "thread_start") (param i32) (call $work))
    (func (export "_start")
        (drop (call $create (i32.const 0) (i32.const 0)))
        (call $work)
        (drop (call $join (i32.load (i32.const 0))))))"#;

#[test]
fn a_thread_that_touches_no_memory_is_cut_where_nothing_changes() {
    let wasm = wat::parse_str(SPINS).unwrap();
    let program = Program::new(&wasm).unwrap();
    // Fuel ends now in a portion, now with one, and now where a function is translated.
    for fuel in [1, 1000, 40_000, 50_000, 123_457, 1_000_000, 10_000_000] {
        let options = RunOptions::seeded(3).fuel(Some(fuel));
        let whole = session::run(&program, options.clone(), NullIo).unwrap();
        let (called, _) = loaded(&wasm, as_called()).unwrap();
        let run = SteppedRun::new(called, options.clone(), NullIo, None);
        let (cut, _, steps) = stepped(run);
        assert!(steps > 50, "{steps} steps");
        assert_eq!(whole.ending, Ending::Returned);
        assert_eq!(cut.stats, whole.stats, "fuel {fuel}");
        assert_eq!(cut.decisions, whole.decisions, "fuel {fuel}");
        let reports = [&cut, &whole].map(|outcome| report(&program, &options, outcome));
        assert_eq!(reports[0], reports[1], "fuel {fuel}");
        assert!(!whole.analysis.diagnoses.is_empty(), "it races");
    }
}

/// Counts what goes to standard output.
struct Counts(Arc<Mutex<usize>>);

impl HostIo for Counts {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        if let Call::Write { bytes, .. } = call {
            *self.0.lock().unwrap() += bytes.len();
        }
        NullIo.call(call)
    }
}

#[test]
fn a_replay_in_steps_is_the_replay_at_once() {
    for name in GUESTS {
        let program = guest(name);
        let options = RunOptions::seeded(5);
        let (bytes, trace) = writer(&program, &options);
        let io = BufferIo::default();
        let (outcome, trace) = session::record(&program, options.clone(), io, trace).unwrap();
        trace.finish(&outcome.footer(0, 0)).unwrap();
        let trace: Arc<[u8]> = bytes.0.lock().unwrap().as_slice().into();
        let open =
            move || TraceReader::open(Box::new(Cursor::new(Arc::clone(&trace))) as TraceInput);

        let printed = Arc::new(Mutex::new(0));
        let echo = Box::new(Counts(Arc::clone(&printed)));
        let whole =
            session::replay(&program, &open, ReplayOptions::default(), Box::new(NullIo)).unwrap();
        let called = Loading::for_replay(&module(name), as_called()).complete();
        let options_of_replay = ReplayOptions::default();
        let mut replay = SteppedReplay::new(called.unwrap(), open, options_of_replay, echo);
        let cut = loop {
            match replay.step().unwrap() {
                Step::More(left) => replay = left,
                Step::Done(replayed) => break replayed,
            }
        };
        assert!(!cut.truncated && !whole.truncated, "{name}");
        let of = |outcome| report(&program, &options, outcome);
        assert_eq!(of(&cut.outcome), of(&whole.outcome), "{name}");
        assert_eq!(cut.outcome.stats, whole.outcome.stats, "{name}");
        assert_eq!(
            *printed.lock().unwrap(),
            outcome.io.stdout.len() + outcome.io.stderr.len()
        );
    }
}

#[test]
fn what_the_engine_does_not_take_is_refused_where_it_is_called() {
    let text = format!(
        r#"(module (memory 1 1 shared)
            (func $large {} {})
            (func (export "large") (call $large))
            (func (export "fine")))"#,
        "i64.const 1 ".repeat(70_000),
        "drop ".repeat(70_000)
    );
    let wasm = wat::parse_str(&text).unwrap();
    let (called, _) = loaded(&wasm, as_called()).unwrap();
    let whole = Program::new(&wasm).unwrap();
    let run = |program: &Program, function: &str| {
        let entry = Entry::default().function(Some(function.to_owned()));
        let options = RunOptions::from(RunSpec::seeded(1).entry(entry));
        session::run(program, options, NullIo).map(|outcome| outcome.ending)
    };
    let too_large = |ran| matches!(ran, Err(MachineError::TooLarge(_)));
    assert!(too_large(run(&whole, "fine")) && too_large(run(&whole, "large")));
    assert_eq!(run(&called, "fine").unwrap(), Ending::Returned);
    // And again, for it has no translation that could be kept.
    for _ in 0..2 {
        assert!(too_large(run(&called, "large")));
    }
    assert_eq!(run(&called, "fine").unwrap(), Ending::Returned);
}
