//! Generated programs with threads, interrupted wherever their fuel can end: the body of the fuzz target `fuel`, and of a test over fixed
//! inputs.
//!
//! What a thread of such a program does follows from its number alone, and never from what others wrote. So whenever it is interrupted, and
//! whoever runs in between, it makes the same accesses, calls and events in the same order.

use grind_runtime::machine::{self, FUEL, MachineConfig, NullIo};
use grind_runtime::model::sites::SiteKind;
use grind_runtime::model::{
    AtomicKind, Ending, Event, EventKind, EventSink, Flow, Limits, Records, ThreadId,
};
use grind_runtime::program::Program;
use grind_runtime::schedule::{RoundRobin, STRATEGIES, Scheduler};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Threads besides the first.
const THREADS: u32 = 3;
/// Functions; each calls only later ones.
const FUNCTIONS: usize = 4;
/// Nested loops and conditions at most.
const DEPTH: usize = 3;
/// More than any of these programs takes.
const STEPS: u64 = 20_000_000;

/// Numbers from bytes; 0 when they are used up.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        u32::from(self.0.next().copied().unwrap_or_default()) % bound
    }
}

fn block(choices: &mut Choices<'_>, out: &mut String, function: usize, depth: usize) {
    for _ in 0..=choices.below(4) {
        statement(choices, out, function, depth);
    }
}

/// Fails only if a string cannot grow.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => { let _ = writeln!($out, $($arg)*); };
}

fn statement(choices: &mut Choices<'_>, out: &mut String, function: usize, depth: usize) {
    let place = 64 + 4 * choices.below(64);
    match choices.below(16) {
        0 | 1 => {
            put!(out, "(i32.store (i32.const {place}) (local.get $n))");
        }
        2 => {
            put!(out, "(drop (i64.load offset={place} (i32.const 1)))");
        }
        3 => {
            put!(
                out,
                "(local.set $p (i32.const {place}))
                 (i32.store8 offset=3 (local.get $p) (i32.load16_u (local.get $p)))"
            );
        }
        4 => {
            put!(
                out,
                "(drop (i32.atomic.rmw.add (i32.const {place}) (i32.const 1)))"
            );
        }
        5 => {
            put!(out, "(i32.atomic.store (i32.const {place}) (i32.const 1))");
        }
        6 => {
            put!(out, "(atomic.fence)");
        }
        7 => {
            let len = choices.below(40);
            put!(
                out,
                "(memory.copy (i32.const {place}) (i32.const 512) (i32.const {len}))"
            );
        }
        8 | 9 if function + 1 < FUNCTIONS => {
            let callee = function + 1 + choices.below((FUNCTIONS - function - 1) as u32) as usize;
            put!(out, "(local.set $n (call $f{callee} (local.get $n)))");
        }
        10 => {
            let times = choices.below(60);
            put!(
                out,
                "(local.set $n (i32.add (local.get $n) (call $spin (i32.const {times}))))"
            );
        }
        11 => {
            // One operand is loaded, whether it is chosen or not.
            put!(
                out,
                "(local.set $n (select (i32.load16_u (i32.const {place})) (i32.const 5) (i32.const {})))
                 (local.set $n (i32.const 3))",
                choices.below(2)
            );
        }
        12 | 13 if depth < DEPTH => {
            let times = 1 + choices.below(4);
            put!(
                out,
                "(local.set $l{depth} (i32.const {times})) (loop $again{depth}"
            );
            block(choices, out, function, depth + 1);
            put!(
                out,
                "(br_if $again{depth} (local.tee $l{depth} (i32.sub (local.get $l{depth}) (i32.const 1)))))"
            );
        }
        14 if depth < DEPTH => {
            put!(
                out,
                "(if (i32.and (local.get $me) (i32.const {})) (then",
                1 + choices.below(3)
            );
            block(choices, out, function, depth + 1);
            put!(out, ") (else");
            block(choices, out, function, depth + 1);
            put!(out, "))");
        }
        _ => {
            put!(
                out,
                "(i64.store (i32.const {place}) (i64.load (i32.const {place})))
                 (f32.store offset=8 (i32.const {place}) (f32.const 1))"
            );
        }
    }
}

/// A module in text.
fn generate(bytes: &[u8]) -> String {
    let choices = &mut Choices(bytes.iter());
    let mut out = String::from(
        r#"(module
        (import "env" "memory" (memory 1 1 shared))
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
        (func $spin (param $times i32) (result i32) (local $sum i32)
            (loop $again
                (local.set $sum (i32.add (local.get $sum) (local.get $times)))
                (br_if $again (i32.gt_s (local.tee $times (i32.sub (local.get $times) (i32.const 1))) (i32.const 0))))
            (local.get $sum))
        "#,
    );
    for function in 0..FUNCTIONS {
        put!(
            out,
            "(func $f{function} (param $me i32) (result i32) (local $n i32) (local $p i32)"
        );
        for depth in 0..DEPTH {
            put!(out, "(local $l{depth} i32)");
        }
        put!(out, "(local.set $n (local.get $me))");
        block(choices, &mut out, function, 0);
        put!(out, "(local.get $n))");
    }
    put!(
        out,
        r#"(func (export "thread_start") (param $me i32)
            (drop (call $f0 (local.get $me))) (drop (call $f1 (local.get $me))))
        (func (export "_start")"#
    );
    for thread in 0..THREADS {
        let handle = 4 * thread;
        put!(
            out,
            "(drop (call $create (i32.const {handle}) (i32.const {thread})))"
        );
    }
    put!(out, "(drop (call $f0 (i32.const 7)))");
    for thread in 0..THREADS {
        put!(
            out,
            "(drop (call $join (i32.load (i32.const {}))))",
            4 * thread
        );
    }
    out.push_str("))");
    out
}

/// A step of a thread: of what kind, where, and how many bytes.
type Step = (u8, u64, u32);

#[derive(Default)]
struct Threads(BTreeMap<ThreadId, Vec<Step>>);

struct Collect {
    program: Arc<Program>,
    threads: Threads,
}

impl EventSink for Collect {
    fn records(&mut self, thread: ThreadId, records: Records<'_>) -> Flow {
        let steps = self.threads.0.entry(thread).or_default();
        for record in records.iter() {
            let site = self.program.sites().get(record.site());
            let addr = match site.kind {
                SiteKind::Call | SiteKind::Return => u64::from(site.offset),
                _ => u64::from(record.base()) + u64::from(site.displacement),
            };
            steps.push((site.kind as u8, addr, site.width.into()));
        }
        Flow::Continue
    }

    fn event(&mut self, event: &Event) -> Flow {
        let step = match event.kind {
            EventKind::Atomic {
                addr,
                width,
                kind: AtomicKind::Store,
                ..
            } => (100, addr.into(), width.into()),
            EventKind::Atomic { addr, width, .. } => (101, addr.into(), width.into()),
            EventKind::Range {
                addr, len, write, ..
            } => (102 + u8::from(write), addr.into(), len),
            EventKind::Fence { .. } => (104, 0, 0),
            EventKind::ThreadStart => (105, 0, 0),
            EventKind::ThreadExit(_) => (106, 0, 0),
            EventKind::ThreadCreate { child } => (107, child.0.into(), 0),
            EventKind::ThreadJoin { child } => (108, child.0.into(), 0),
            _ => return Flow::Continue,
        };
        self.threads.0.entry(event.thread).or_default().push(step);
        Flow::Continue
    }
}

fn run(
    program: &Arc<Program>,
    scheduler: Box<dyn Scheduler>,
    fuel: u64,
) -> BTreeMap<ThreadId, Vec<Step>> {
    let sink = Collect {
        program: Arc::clone(program),
        threads: Threads::default(),
    };
    let mut config = MachineConfig::new(scheduler, Box::new(sink), Box::new(NullIo));
    config.fuel = fuel;
    config.spec.limits = Limits::default().steps(Some(STEPS));
    let result = machine::run(program, config).expect("a generated program can be started");
    assert_eq!(result.ending, Ending::Returned);
    result.into_sink::<Collect>().threads.0
}

/// Runs a generated program with plenty of fuel and with little.
///
/// # Panics
/// If a thread does something else with little.
pub(crate) fn compare(bytes: &[u8]) {
    let text = generate(bytes);
    let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let program = Arc::new(Program::new(&wasm).expect("a generated program is accepted"));
    let plenty = run(&program, Box::new(RoundRobin::new(0)), FUEL);
    let seed = bytes
        .iter()
        .fold(0_u64, |seed, &byte| seed.rotate_left(7) ^ u64::from(byte));
    for fuel in [1, 2 + seed % 30, 200] {
        for strategy in STRATEGIES {
            let little = run(&program, strategy.scheduler(seed), fuel);
            for (thread, steps) in &plenty {
                assert!(
                    little.get(thread) == Some(steps),
                    "{thread} with {} and fuel for {fuel}, seed {seed}:\n{:?}\nwith plenty:\n{steps:?}\n{text}",
                    strategy.name,
                    little.get(thread),
                );
            }
        }
    }
}
