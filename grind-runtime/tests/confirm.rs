//! Predictions from a run that showed nothing, and runs that are led to them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/locking_guest.rs"]
mod locking_guest;
#[path = "support/recording.rs"]
mod recording;

use grind_runtime::detect::Diagnosis;
use grind_runtime::machine::NullIo;
use grind_runtime::model::sites::SiteKind;
use grind_runtime::model::{Event, EventKind, ThreadId};
use grind_runtime::predict::translate::{self, Analysis, Analyzed, Bounds, Predicted};
use grind_runtime::program::Program;
use grind_runtime::session::{self, ReplayOptions, RunOptions, TraceOutput};
use grind_runtime::trace::{Detail, Entry, TraceWriter};
use locking_guest::{Made, calls, guest, seeded};
use recording::{Memory, open, record};
use std::ops::ControlFlow;
use std::sync::Arc;

const LOCKS: [u32; 2] = [128, 192];
const X: u32 = 1024;

/// The trace of a run in which nothing was found.
fn quiet_run(program: &Program, detail: Detail) -> Vec<u8> {
    let runs = (0..200).filter_map(|seed| {
        let options = seeded(seed);
        let (outcome, bytes) = record(program, &options, detail).unwrap();
        outcome.analysis.diagnoses.is_empty().then_some(bytes)
    });
    let mut runs = runs;
    runs.next().expect("a schedule that shows nothing")
}

fn analyze(bytes: &[u8], wanted: &[Analysis]) -> Analyzed {
    let go_on = |_| ControlFlow::Continue(());
    translate::analyze(|| open(bytes), wanted, &Bounds::default(), go_on).unwrap()
}

/// Which of the predictions happened; the traces of those show them again.
fn confirm(program: &Program, bytes: &[u8], predicted: &[Predicted]) -> Vec<bool> {
    let mut files = vec![Memory::default(); predicted.len()];
    let confirmed = session::confirm(
        program,
        || open(bytes),
        predicted,
        &Bounds::default(),
        |index| {
            files[index] = Memory::default();
            Ok(Box::new(files[index].clone()) as TraceOutput)
        },
        |_, _| Ok(()),
    );
    let confirmed = confirmed.unwrap().happened;
    for (file, _) in files
        .iter()
        .zip(&confirmed)
        .filter(|(_, happened)| **happened)
    {
        let bytes = file.bytes();
        let replayed = session::replay(
            program,
            || open(&bytes),
            ReplayOptions::default(),
            Box::new(NullIo),
        );
        assert!(!replayed.unwrap().outcome.analysis.diagnoses.is_empty());
    }
    confirmed
}

#[test]
fn a_race_that_a_lock_happened_to_order() {
    let [lock, _] = LOCKS;
    // Ordered if A's section comes first; not, if B's does.
    let a = calls(&[("write", X), ("lock", lock), ("unlock", lock)]);
    let b = calls(&[("lock", lock), ("unlock", lock), ("read", X)]);
    for made in [Made::Hooks, Made::Words] {
        let program = guest(made, &a, &b);
        let bytes = quiet_run(&program, Detail::Full);
        let analyzed = analyze(&bytes, &[Analysis::Hb, Analysis::Shb, Analysis::Syncp]);
        let [predicted] = &analyzed.predicted[..] else {
            panic!("{made:?}: {:?}", analyzed.predicted)
        };
        assert_eq!(predicted.analyses, [Analysis::Syncp]);
        let confirmed = confirm(&program, &bytes, &analyzed.predicted);
        assert_eq!(confirmed, [true], "{made:?}");
    }
}

#[test]
fn a_race_that_a_mutex_of_std_happened_to_order() {
    let path = "../test-programs/wasip1-threads/wasm/race_lock_between.wasm";
    let program = Program::new(&std::fs::read(path).unwrap()).unwrap();
    let bytes = quiet_run(&program, Detail::Full);
    let analyzed = analyze(&bytes, &[Analysis::Hb, Analysis::Shb, Analysis::Syncp]);
    let [predicted] = &analyzed.predicted[..] else {
        panic!("{:?}", analyzed.predicted)
    };
    assert_eq!(predicted.analyses, [Analysis::Syncp]);
    assert_eq!(confirm(&program, &bytes, &analyzed.predicted), [true]);
}

#[test]
fn its_twin_keeps_the_data_under_the_lock() {
    let [lock, _] = LOCKS;
    let section = |access| calls(&[("lock", lock), (access, X), ("unlock", lock)]);
    for made in [Made::Hooks, Made::Words] {
        let program = guest(made, &section("write"), &section("read"));
        let bytes = quiet_run(&program, Detail::Full);
        assert_eq!(analyze(&bytes, &Analysis::ALL).predicted, [], "{made:?}");
    }
}

#[test]
fn a_lock_word_that_is_used_in_another_way_is_an_atomic() {
    let [lock, other] = LOCKS;
    let sections = |take, access| {
        // That the word is a lock is known.
        calls(&[
            ("lock", lock),
            ("unlock", lock),
            (take, lock),
            (access, X),
            ("unlock", lock),
        ])
    };
    // Nobody tells that the section of `try` excludes the other; to order the two is the least.
    let program = guest(
        Made::Words,
        &sections("try", "write"),
        &sections("lock", "read"),
    );
    let sound: Vec<Analysis> = (Analysis::ALL.into_iter())
        .filter(|analysis| analysis.is_sound())
        .collect();
    for seed in 0..20 {
        let options = seeded(seed);
        let (outcome, bytes) = record(&program, &options, Detail::Full).unwrap();
        assert_eq!(outcome.analysis.diagnoses, []);
        assert_eq!(analyze(&bytes, &sound).predicted, [], "seed {seed}");
    }
    // Nor does an order that is no nesting make a trace unfit.
    let hand_over_hand = calls(&[
        ("lock", lock),
        ("lock", other),
        ("write", X),
        ("unlock", lock),
        ("unlock", other),
    ]);
    let program = guest(Made::Words, &hand_over_hand, &hand_over_hand);
    let bytes = quiet_run(&program, Detail::Full);
    assert_eq!(analyze(&bytes, &sound).predicted, []);
}

#[test]
fn a_deadlock_that_did_not_happen() {
    let [one, other] = LOCKS;
    let sections = |first, second| {
        calls(&[
            ("lock", first),
            ("lock", second),
            ("unlock", second),
            ("unlock", first),
        ])
    };
    for made in [Made::Hooks, Made::Words] {
        let program = guest(made, &sections(one, other), &sections(other, one));
        // The lock-order inversion is found live, and is no deadlock yet.
        let runs = (0..200).map(seeded);
        // Without accesses, words stay atomics: what threads tell each other is not known.
        let light = (made == Made::Hooks).then_some(Detail::Light);
        for detail in light.into_iter().chain([Detail::Full]) {
            let mut runs = runs
                .clone()
                .map(|run| record(&program, &run, detail).unwrap());
            let inverted = runs.find(|(outcome, _)| {
                let found = outcome.analysis.diagnoses.iter();
                found
                    .map(|one| &one.diagnosis)
                    .any(|one| matches!(one, Diagnosis::LockOrderInversion { .. }))
            });
            let (outcome, bytes) = inverted.expect("a schedule that does not deadlock");
            assert_eq!(outcome.analysis.diagnoses.len(), 1);
            let analyzed = analyze(&bytes, &[Analysis::Deadlock]);
            assert_eq!(analyzed.predicted.len(), 1, "{made:?}");
            assert_eq!(
                confirm(&program, &bytes, &analyzed.predicted),
                [true],
                "{made:?} {detail:?}"
            );
        }
        let twin = guest(made, &sections(one, other), &sections(one, other));
        let bytes = quiet_run(&twin, Detail::Light);
        assert_eq!(analyze(&bytes, &[Analysis::Deadlock]).predicted, []);
    }
}

#[test]
fn a_prediction_that_the_data_forbid_is_not_confirmed() {
    // The lockset sees no lock; the creation orders the accesses all the same.
    let wat = format!(
        r#"(module
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
        (memory (export "memory") 1 1 shared)
        (func (export "thread_start") (param i32) (i32.store (i32.const {X}) (local.get 0)))
        (func (export "_start")
            (drop (call $create (i32.const 8) (i32.const 1)))
            (drop (call $join (i32.load (i32.const 8))))
            (i32.store (i32.const {X}) (i32.const 5))
            (drop (call $create (i32.const 12) (i32.const 2)))
            (drop (call $join (i32.load (i32.const 12))))))"#
    );
    let program = Program::new(&wat::parse_str(wat).unwrap()).unwrap();
    let bytes = quiet_run(&program, Detail::Full);
    let analyzed = analyze(&bytes, &[Analysis::Lockset]);
    assert!(!analyzed.predicted.is_empty());
    let confirmed = confirm(&program, &bytes, &analyzed.predicted);
    assert!(confirmed.iter().all(|happened| !happened), "{confirmed:?}");
}

#[test]
fn sections_that_do_not_nest_stay_in_their_order() {
    let [one, other] = LOCKS;
    let hand_over_hand = calls(&[
        ("lock", one),
        ("lock", other),
        ("unlock", one),
        ("unlock", other),
    ]);
    let a = calls(&[("write", X)]) + &hand_over_hand;
    let b = hand_over_hand + &calls(&[("write", X)]);
    let program = guest(Made::Hooks, &a, &b);
    let bytes = quiet_run(&program, Detail::Full);
    let both = analyze(&bytes, &[Analysis::Hb, Analysis::Syncp]);
    assert_eq!((both.predicted.len(), both.unnested), (0, 1));
    // Those who need no nesting take all locks for locks.
    let loose = analyze(&bytes, &[Analysis::Hb, Analysis::Lockset]);
    let [predicted] = &loose.predicted[..] else {
        panic!("{:?}", loose.predicted)
    };
    assert_eq!(
        (&predicted.analyses[..], loose.unnested),
        (&[Analysis::Lockset][..], 0)
    );
    // The order of the sections around it does not matter to this race.
    let a = calls(&[
        ("lock", one),
        ("lock", other),
        ("unlock", one),
        ("write", X),
        ("unlock", other),
    ]);
    let b = calls(&[("lock", one), ("read", X), ("unlock", one)]);
    let program = guest(Made::Hooks, &b, &a);
    let runs = (0..200).map(|seed| {
        let options = seeded(seed);
        record(&program, &options, Detail::Full).unwrap()
    });
    let found = runs.filter(|(_, bytes)| !analyze(bytes, &[Analysis::Wcp]).predicted.is_empty());
    assert_ne!(found.count(), 0);
}

#[test]
fn a_lock_that_is_tried_is_not_waited_for() {
    let [one, other] = LOCKS;
    let sections = |first, take, second| {
        calls(&[
            ("lock", first),
            (take, second),
            ("unlock", second),
            ("unlock", first),
        ])
    };
    let predicted = |made, detail, take| {
        let program = guest(
            made,
            &sections(one, take, other),
            &sections(other, "lock", one),
        );
        let runs = (0..20).map(|seed| {
            let options = seeded(seed);
            let (_, bytes) = record(&program, &options, detail).unwrap();
            analyze(&bytes, &[Analysis::Deadlock]).predicted.len()
        });
        runs.sum::<usize>()
    };
    for (made, detail, tried) in [
        (Made::Hooks, Detail::Light, "try"),
        (Made::Words, Detail::Full, "try_in_a_function"),
    ] {
        assert_ne!(predicted(made, detail, "lock"), 0);
        assert_eq!(predicted(made, detail, tried), 0);
    }
}

#[test]
fn what_an_atomic_says_within_a_section_is_kept() {
    let ([lock, _], flag) = (LOCKS, 2048);
    // A writes only where B was not there before, and B reads after it was.
    let write = calls(&[("write", X)]);
    let [take, leave] = ["lock", "unlock"].map(|act| calls(&[(act, lock)]));
    let a = format!(
        "{take} (if (i32.eqz (i32.atomic.load (i32.const {flag}))) (then {write})) {leave}"
    );
    let b = format!(
        "{take} (i32.atomic.store (i32.const {flag}) (i32.const 1)) {leave} {}",
        calls(&[("read", X)])
    );
    for made in [Made::Hooks, Made::Words] {
        let program = guest(made, &a, &b);
        for seed in 0..40 {
            let options = seeded(seed);
            let (_, bytes) = record(&program, &options, Detail::Full).unwrap();
            let wanted = [Analysis::Wcp, Analysis::Syncp, Analysis::Osr];
            let analyzed = analyze(&bytes, &wanted);
            assert_eq!(analyzed.predicted, [], "{made:?} {seed}");
        }
    }
}

#[test]
fn an_attempt_that_fails_tells_that_another_has_the_lock() {
    let [lock, _] = LOCKS;
    let a = calls(&[("lock", lock), ("write", X), ("unlock", lock)]);
    // B reads only where it found the lock taken, and after A has left it.
    let b = |read| {
        let after = calls(&[("lock", lock), ("unlock", lock), (read, X)]);
        format!("(if (i32.eqz (call $attempt (i32.const {lock}))) (then {after}))")
    };
    for made in [Made::Hooks, Made::Words] {
        let program = guest(made, &a, &b("read"));
        let mut failed = 0;
        for seed in 0..400 {
            let options = seeded(seed);
            let (_, bytes) = record(&program, &options, Detail::Full).unwrap();
            let analyzed = analyze(&bytes, &[Analysis::Syncp, Analysis::Wcp, Analysis::Osr]);
            assert_eq!(analyzed.predicted, [], "{made:?} {seed}");
            failed += usize::from(reads(&bytes));
        }
        assert_ne!(failed, 0, "{made:?}: no schedule has the attempt fail");
    }
}

/// Whether anybody read X.
fn reads(bytes: &[u8]) -> bool {
    let mut trace = open(bytes).unwrap();
    let sites = Arc::clone(trace.sites());
    while let Some(entry) = trace.next_entry().unwrap() {
        let accesses = |record: grind_runtime::model::Record| {
            let site = sites.get(record.site());
            site.kind == SiteKind::Read && record.base() == X
        };
        if matches!(entry, Entry::Records(_)) && trace.records().iter().any(accesses) {
            return true;
        }
    }
    false
}

#[test]
fn a_race_that_is_wanted_is_none() {
    let write = calls(&[("write", X)]);
    let benign = calls(&[("benign", X)]) + &write;
    for (a, b, found) in [(&write, &write, true), (&benign, &benign, false)] {
        let program = guest(Made::Hooks, a, b);
        let (_, bytes) = record(&program, &RunOptions::default(), Detail::Full).unwrap();
        let predicted = analyze(&bytes, &[Analysis::Hb]).predicted;
        assert_eq!(!predicted.is_empty(), found);
    }
}

#[test]
fn a_thread_beyond_all_numbers_is_refused() {
    let program = guest(Made::Hooks, "", "");
    let file = Memory::default();
    let options = RunOptions::default();
    let header = recording::header(&program, &options, Detail::Full);
    let mut writer = TraceWriter::create(file.clone(), &header, program.sites(), None).unwrap();
    let (thread, child) = (ThreadId(0), ThreadId(u32::MAX));
    let kind = EventKind::ThreadCreate { child };
    writer.event(&Event { thread, kind }, &[]);
    writer
        .finish(
            &session::run(&program, options, NullIo)
                .unwrap()
                .footer(0, 0),
        )
        .unwrap();
    let bytes = file.bytes();
    let analyzed = translate::analyze(
        || open(&bytes),
        &[Analysis::Shb],
        &Bounds::default(),
        |_| ControlFlow::Continue(()),
    );
    let error = analyzed.unwrap_err().to_string();
    assert!(error.contains("more than 4096 threads"), "{error}");
}

#[test]
fn a_budget_ends_the_reading() {
    let loops = "(local $n i32) (loop $again (call $write (i32.const 1024))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 50000))))";
    let program = guest(Made::Hooks, loops, loops);
    let (_, bytes) = record(&program, &RunOptions::default(), Detail::Full).unwrap();
    // Before the second reading nothing is known.
    for (reading, found) in [(1, 0), (2, 1)] {
        let mut asked = 0;
        let analyzed = translate::analyze(
            || open(&bytes),
            &[Analysis::Shb],
            &Bounds::default(),
            |progress| {
                assert!(progress.position > 0 && progress.reading <= reading.max(3));
                if progress.reading != reading {
                    return ControlFlow::Continue(());
                }
                asked += 1;
                assert_eq!(progress.events > 0, reading == 2);
                ControlFlow::Break(())
            },
        );
        let analyzed = analyzed.unwrap();
        assert!(analyzed.stopped && asked == 1);
        assert!(analyzed.totals[0].1.events < 100_000);
        let predicted = analyzed.predicted.len();
        assert_eq!(predicted, found, "what was found until then");
    }
}
