//! What is said of a trace: what the recorded run showed, and what is predicted of memory that is not only read and written.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/recording.rs"]
mod recording;

use grind_runtime::detect::{AccessKind, AnalysisOptions, Detect, Diagnosed, Diagnosis};
use grind_runtime::model::Ending;
use grind_runtime::predict::translate::{self, Analysis, Analyzed, Bounds, Observed};
use grind_runtime::program::Program;
use grind_runtime::session::{self, RunOptions, TraceOutput};
use grind_runtime::trace::Detail;
use recording::{open, record};
use std::ops::ControlFlow;

/// Threads A and B, a lock that both can take, and a block of the heap.
fn guest(a: &str, b: &str, main: &str) -> Program {
    let text = format!(
        r#"(module
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
        (import "threadlink" "start_lock" (func $start_lock (param i32)))
        (import "threadlink" "finish_lock" (func $finish_lock (param i32)))
        (import "threadlink" "start_unlock" (func $start_unlock (param i32)))
        (import "threadlink" "finish_unlock" (func $finish_unlock (param i32)))
        (memory (export "memory") 1 1 shared)
        (func $malloc (param $size i32) (result i32) (i32.const 4096))
        (func $free (param $block i32))
        (func $lock
            (call $start_lock (i32.const 128))
            (block $have (loop $again
                (br_if $have (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 128) (i32.const 0) (i32.const 1))))
                (drop (memory.atomic.wait32 (i32.const 128) (i32.const 1) (i64.const -1)))
                (br $again)))
            (call $finish_lock (i32.const 128)))
        (func $unlock
            (call $start_unlock (i32.const 128))
            (i32.atomic.store (i32.const 128) (i32.const 0))
            (drop (memory.atomic.notify (i32.const 128) (i32.const 1)))
            (call $finish_unlock (i32.const 128)))
        (func $a {a})
        (func $b {b})
        (func (export "thread_start") (param i32)
            (if (i32.eq (local.get 0) (i32.const 1)) (then (call $a)) (else (call $b))))
        (func (export "_start")
            (i32.store (call $malloc (i32.const 16)) (i32.const 7))
            (drop (call $create (i32.const 8) (i32.const 1)))
            (drop (call $create (i32.const 12) (i32.const 2)))
            (drop (call $join (i32.load (i32.const 8))))
            (drop (call $join (i32.load (i32.const 12))))
            {main}))"#
    );
    Program::new(&wat::parse_str(text).unwrap()).unwrap()
}

const USE: &str = "(drop (i32.load (i32.const 4100)))";
const FREE: &str = "(call $free (i32.const 4096))";
const EMPTY_SECTION: &str = "(call $lock) (call $unlock)";

fn seeded(seed: u64) -> RunOptions {
    RunOptions::seeded(seed)
}

fn analyze(bytes: &[u8], wanted: &[Analysis]) -> Analyzed {
    let go_on = |_| ControlFlow::Continue(());
    translate::analyze(|| open(bytes), wanted, &Bounds::default(), go_on).unwrap()
}

fn observe(bytes: &[u8]) -> Observed {
    let go_on = |_| ControlFlow::Continue(());
    translate::observe(|| open(bytes), &Bounds::default(), go_on).unwrap()
}

/// Full traces of runs in which nothing was found.
fn quiet(program: &Program) -> impl Iterator<Item = Vec<u8>> {
    (0..100).filter_map(|seed| {
        let (outcome, bytes) = record(program, &seeded(seed), Detail::Full).unwrap();
        outcome.analysis.diagnoses.is_empty().then_some(bytes)
    })
}

#[test]
fn a_free_that_a_lock_happened_to_order_races_with_a_use() {
    let user = format!("{USE} {EMPTY_SECTION}");
    let freer = format!("{EMPTY_SECTION} {FREE}");
    let program = guest(&user, &freer, "");
    let bytes = quiet(&program).next().expect("A's section comes first");
    let analyzed = analyze(&bytes, &[Analysis::Hb, Analysis::Syncp]);
    let [predicted] = &analyzed.predicted[..] else {
        panic!("{:?}", analyzed.predicted)
    };
    assert_eq!(predicted.analyses, [Analysis::Syncp]);
    let Diagnosis::DataRace { first, second, .. } = &predicted.diagnosis else {
        panic!("{predicted:?}")
    };
    assert_eq!((first.addr, first.write), (4100, false));
    assert_eq!(second.kind, AccessKind::Free);
    assert_eq!((second.addr, second.len), (4096, 16));
    let confirmed = session::confirm(
        &program,
        || open(&bytes),
        &analyzed.predicted,
        &Bounds::default(),
        |_| Ok(Box::new(std::io::sink()) as TraceOutput),
        |_, _| Ok(()),
    );
    assert_eq!(confirmed.unwrap().happened, [true]);
    // Its twin: whoever frees it has joined the others.
    let program = guest(&user, EMPTY_SECTION, FREE);
    let sound = Analysis::ALL.into_iter().filter(|one| one.is_sound());
    let sound: Vec<Analysis> = sound.collect();
    for bytes in quiet(&program) {
        assert_eq!(analyze(&bytes, &sound).predicted, []);
    }
}

#[test]
fn loads_order_nothing() {
    let load = "(drop (i32.atomic.load (i32.const 64)))";
    let store = "(i32.store (i32.const 64) (i32.const 1))";
    let program = guest(&format!("{load} {store}"), load, "");
    let wanted = [Analysis::Hb, Analysis::Shb, Analysis::Syncp];
    let mut raced = 0;
    for seed in 0..40 {
        let (outcome, bytes) = record(&program, &seeded(seed), Detail::Full).unwrap();
        raced += usize::from(!outcome.analysis.diagnoses.is_empty());
        let predicted = analyze(&bytes, &wanted).predicted;
        assert_eq!(predicted.len(), 1, "seed {seed}: {predicted:?}");
        assert_eq!(predicted[0].analyses, wanted, "seed {seed}");
    }
    assert_eq!(raced, 40);
    // A store orders what comes after the load that sees it, and only with what came before that very store.
    let atomic = "(i32.atomic.store (i32.const 64) (i32.const 1))";
    let program = guest(&format!("{load} {atomic}"), load, "");
    for seed in 0..20 {
        let (_, bytes) = record(&program, &seeded(seed), Detail::Full).unwrap();
        assert_eq!(analyze(&bytes, &wanted).predicted, []);
    }
}

#[test]
fn what_was_not_looked_for_in_the_run_is_observed_in_its_trace() {
    let store = "(i32.store (i32.const 64) (i32.const 1))";
    let program = guest(store, &format!("{store} (unreachable)"), "");
    let blind = seeded(1).analysis(AnalysisOptions::default().detect(Detect::None));
    let (outcome, bytes) = record(&program, &blind, Detail::Full).unwrap();
    // A trap is told in any case.
    let trap = |found: &Diagnosed| matches!(found.diagnosis, Diagnosis::Trap(_));
    assert!(outcome.analysis.diagnoses.iter().all(trap));
    let (seen, _) = record(&program, &seeded(1), Detail::Full).unwrap();
    let observed = observe(&bytes);
    assert_eq!(observed.analysis, seen.analysis);
    assert!(!observed.analysis.diagnoses.is_empty());
    assert_eq!(observed.analysis.traps.len(), 1);
    assert_eq!(observed.ending, Some(Ending::Trapped));
    let mut observed = observed;
    let mut analyzed = analyze(&bytes, &[Analysis::Hb, Analysis::Syncp]);
    assert_eq!(analyzed.predicted.len(), 1);
    observed.claim(&mut analyzed);
    assert_eq!(analyzed.predicted, []);
    // The trap, and the race.
    let predicted_by = [vec![], vec![Analysis::Hb, Analysis::Syncp]];
    assert_eq!(observed.predicted_by, predicted_by);
}

#[test]
fn a_light_trace_shows_where_events_are() {
    // B frees the block, and main does so again.
    let program = guest(EMPTY_SECTION, FREE, FREE);
    let (outcome, bytes) = record(&program, &seeded(3), Detail::Light).unwrap();
    assert_eq!(outcome.analysis.diagnoses.len(), 1, "freed twice");
    assert_eq!(
        observe(&bytes).analysis.diagnoses,
        outcome.analysis.diagnoses
    );
}

#[test]
fn whoever_stops_it_gets_what_there_is() {
    let store = "(local $n i32) (loop $again (i32.store (i32.const 64) (local.get $n))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 100000))))";
    let program = guest(store, store, "");
    let (_, bytes) = record(&program, &RunOptions::default(), Detail::Full).unwrap();
    let bounds = Bounds::default();
    let go_on = |_| ControlFlow::Continue(());
    bounds.control.request_stop();
    let analyzed = translate::analyze(|| open(&bytes), &Analysis::ALL, &bounds, go_on).unwrap();
    assert!(analyzed.stopped && analyzed.predicted.is_empty());
    let observed = translate::observe(|| open(&bytes), &bounds, go_on).unwrap();
    assert!(observed.until.is_some());
    // In the second reading, what was found until then is there.
    let bounds = Bounds::default();
    let stop = |progress: translate::Progress| {
        if progress.reading == 2 {
            bounds.control.request_stop();
        }
        ControlFlow::Continue(())
    };
    let analyzed = translate::analyze(|| open(&bytes), &[Analysis::Hb], &bounds, stop).unwrap();
    assert!(analyzed.stopped && !analyzed.predicted.is_empty());
    let all = analyze(&bytes, &[Analysis::Hb]);
    assert!(analyzed.totals[0].1.events < all.totals[0].1.events);
    let untried = session::confirm(
        &program,
        || open(&bytes),
        &all.predicted,
        &bounds,
        |_| Ok(Box::new(std::io::sink()) as TraceOutput),
        |_, _| Ok(()),
    );
    let untried = untried.unwrap();
    assert_eq!(untried.untried, all.predicted.len());
    assert!(untried.happened.iter().all(|happened| !happened));
}

#[test]
fn memory_bounds_what_is_remembered() {
    let store = "(local $n i32) (loop $again (i32.store (i32.add (i32.const 8192) (local.get $n)) (local.get $n))
        (drop (i32.atomic.rmw.add (i32.const 64) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 8)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 40000))))";
    let program = guest(store, store, "");
    let (_, bytes) = record(&program, &RunOptions::default(), Detail::Full).unwrap();
    let within = |memory, wanted: &[Analysis]| {
        let bounds = Bounds::default().memory(Some(memory));
        let go_on = |_| ControlFlow::Continue(());
        translate::analyze(|| open(&bytes), wanted, &bounds, go_on).unwrap()
    };
    let sound = [Analysis::Hb, Analysis::Syncp, Analysis::Osr];
    let all = within(1 << 30, &sound);
    assert_eq!(all.left_out, []);
    assert_eq!(all.predicted, analyze(&bytes, &sound).predicted);
    let some = within(3 << 20, &sound);
    let left_out: Vec<Analysis> = some.left_out.iter().map(|&(one, _)| one).collect();
    assert!(
        left_out.contains(&Analysis::Osr) && !left_out.contains(&Analysis::Hb),
        "{left_out:?}"
    );
    assert_eq!(some.totals[0], all.totals[0], "the others go on");
    for &(_, events) in &some.left_out {
        assert!(events > 0 && events < u64::from(all.totals[0].1.events));
    }
    let none = within(1 << 10, &sound);
    assert_eq!(none.left_out, sound.map(|one| (one, 0)));
    assert_eq!(none.predicted, []);
}
