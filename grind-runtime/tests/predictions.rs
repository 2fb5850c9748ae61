//! Generated programs of two threads: whatever a sound analysis predicts from the trace of one schedule, another schedule
//! shows, be it a random one or one that is led there.
//!
//! What a thread reads, and whether an attempt to take a lock succeeds, decide what it does next: so a prediction that
//! leaves out what the trace tells of one of these is of something that never happens.

#[path = "support/locking_guest.rs"]
#[expect(dead_code, reason = "this suite makes its own calls")]
mod locking_guest;
#[path = "support/recording.rs"]
mod recording;

use grind_runtime::detect::{Access, Diagnosis};
use grind_runtime::machine::NullIo;
use grind_runtime::predict::translate::{self, Analysis, Bounds, Predicted};
use grind_runtime::program::Program;
use grind_runtime::session::{self, TraceOutput};
use grind_runtime::trace::Detail;
use locking_guest::{Made, guest, seeded};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::Cell;
use std::fmt::Write as _;
use std::ops::ControlFlow;

const LOCKS: [u32; 2] = [128, 192];
const VARIABLES: [u32; 3] = [1024, 1040, 1056];
/// Only atomics access it.
const FLAG: u32 = 2048;

/// Random schedules that are tried until one shows what was predicted: before a run is led there, and after that failed.
const SCHEDULES: [u64; 2] = [300, 20_000];

/// What a thread does.
#[derive(Clone, Debug)]
enum Act {
    Read(u32),
    Write(u32),
    SetFlag,
    Section(u32, Vec<Act>),
    /// If the lock was taken by the other one.
    IfBusy(u32, Vec<Act>),
    /// If the flag, or the variable, is still 0.
    IfFlag(Vec<Act>),
    IfVariable(u32, Vec<Act>),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let variable = || prop::sample::select(&VARIABLES[..]);
    let lock = || prop::sample::select(&LOCKS[..]);
    let simple = prop_oneof![
        3 => variable().prop_map(Act::Read),
        3 => variable().prop_map(Act::Write),
        1 => Just(Act::SetFlag),
    ];
    let act = simple.prop_recursive(3, 8, 3, move |inner| {
        let some = || prop::collection::vec(inner.clone(), 0..3);
        prop_oneof![
            5 => (lock(), some()).prop_map(|(lock, acts)| Act::Section(lock, acts)),
            2 => (lock(), some()).prop_map(|(lock, acts)| Act::IfBusy(lock, acts)),
            2 => some().prop_map(Act::IfFlag),
            1 => (variable(), some()).prop_map(|(at, acts)| Act::IfVariable(at, acts)),
        ]
    });
    prop::collection::vec(act, 1..5)
}

/// As instructions. A lock that the thread has is not taken again.
fn text(acts: &[Act], held: &mut Vec<u32>, out: &mut String) {
    for act in acts {
        match act {
            Act::Read(at) => {
                let _ = write!(out, "(drop (i32.load (i32.const {at})))");
            }
            Act::Write(at) => {
                let _ = write!(out, "(i32.store (i32.const {at}) (i32.const 1))");
            }
            Act::SetFlag => {
                let _ = write!(out, "(i32.atomic.store (i32.const {FLAG}) (i32.const 1))");
            }
            Act::Section(lock, inner) if !held.contains(lock) => {
                let _ = write!(out, "(call $lock (i32.const {lock}))");
                held.push(*lock);
                text(inner, held, out);
                held.pop();
                let _ = write!(out, "(call $unlock (i32.const {lock}))");
            }
            Act::IfBusy(lock, inner) if !held.contains(lock) => {
                let _ = write!(
                    out,
                    "(if (i32.eqz (call $attempt (i32.const {lock}))) (then "
                );
                text(inner, held, out);
                out.push_str("))");
            }
            Act::Section(_, inner) | Act::IfBusy(_, inner) => text(inner, held, out),
            Act::IfFlag(inner) => {
                let _ = write!(
                    out,
                    "(if (i32.eqz (i32.atomic.load (i32.const {FLAG}))) (then "
                );
                text(inner, held, out);
                out.push_str("))");
            }
            Act::IfVariable(at, inner) => {
                let _ = write!(out, "(if (i32.eqz (i32.load (i32.const {at}))) (then ");
                text(inner, held, out);
                out.push_str("))");
            }
        }
    }
}

/// What schedules of a program show.
struct Shown<'a> {
    program: &'a Program,
    next: u64,
    found: Vec<Diagnosis>,
}

impl Shown<'_> {
    /// Whether one of so many schedules shows this.
    fn any(&mut self, schedules: u64, is: impl Fn(&Diagnosis) -> bool) -> bool {
        let mut looked = 0;
        loop {
            if self.found[looked..].iter().any(&is) {
                return true;
            }
            looked = self.found.len();
            if self.next >= schedules {
                return false;
            }
            let outcome = session::run(self.program, seeded(self.next), NullIo);
            self.next += 1;
            let diagnoses = outcome.expect("it can run").analysis.diagnoses;
            self.found
                .extend(diagnoses.into_iter().map(|one| one.diagnosis));
        }
    }
}

/// Whether a schedule has a race there. Which accesses it is of is not compared: happens-before names the last ones.
fn shows_race(found: &Diagnosis, wanted: &Access) -> bool {
    matches!(found, Diagnosis::DataRace { first, .. } if first.addr == wanted.addr)
}

/// Whether a run that is led to it shows it.
fn is_confirmed(program: &Program, trace: &[u8], predicted: &Predicted) -> bool {
    let confirmed = session::confirm(
        program,
        || recording::open(trace),
        std::slice::from_ref(predicted),
        &Bounds::default(),
        |_| Ok(Box::new(std::io::sink()) as TraceOutput),
        |_, _| Ok(()),
    );
    confirmed.expect("it can be tried").happened == [true]
}

/// A prediction that no schedule shows.
fn refuted(shown: &mut Shown<'_>, trace: &[u8], predicted: Vec<Predicted>) -> Option<Predicted> {
    let sound = [
        Analysis::Shb,
        Analysis::Syncp,
        Analysis::Osr,
        Analysis::Deadlock,
    ];
    let certain = predicted.into_iter().enumerate().filter(|(index, one)| {
        // Of the others, the first race is certain.
        *index == 0 || one.analyses.iter().any(|analysis| sound.contains(analysis))
    });
    let mut certain = certain.map(|(_, one)| one);
    certain.find(|one| {
        let is_it = |found: &Diagnosis| match &one.diagnosis {
            Diagnosis::DataRace { first, .. } => {
                let only_wcp = one.analyses == [Analysis::Wcp];
                shows_race(found, first) || only_wcp && matches!(found, Diagnosis::Deadlock { .. })
            }
            _ => matches!(found, Diagnosis::Deadlock { .. }),
        };
        !shown.any(SCHEDULES[0], is_it)
            && !is_confirmed(shown.program, trace, one)
            && !shown.any(SCHEDULES[1], is_it)
    })
}

#[test]
fn what_is_predicted_can_happen() {
    let wanted: Vec<Analysis> = (Analysis::ALL.into_iter())
        .filter(|analysis| analysis.is_sound())
        .collect();
    let config = Config {
        cases: 2000,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let beyond = Cell::new(0);
    let made = prop_oneof![Just(Made::Hooks), Just(Made::Words)];
    let tested = runner.run(&(made, acts(), acts()), |(made, a, b)| {
        let [a, b] = [a, b].map(|acts| {
            let mut out = String::new();
            text(&acts, &mut Vec::new(), &mut out);
            out
        });
        let program = guest(made, &a, &b);
        let mut shown = Shown {
            program: &program,
            next: 0,
            found: Vec::new(),
        };
        for seed in 0..4 {
            let (outcome, bytes) = recording::record(&program, &seeded(seed), Detail::Full)
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
            let open = || recording::open(&bytes);
            let analyzed = translate::analyze(open, &wanted, &Bounds::default(), |_| {
                ControlFlow::Continue(())
            })
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
            let quiet = outcome.analysis.diagnoses.is_empty();
            let predicts = !analyzed.predicted.is_empty();
            beyond.set(beyond.get() + usize::from(quiet && predicts));
            let refuted = refuted(&mut shown, &bytes, analyzed.predicted);
            prop_assert!(
                refuted.is_none(),
                "seed {seed}: {refuted:?}\na: {a}\nb: {b}"
            );
        }
        Ok(())
    });
    if let Err(error) = tested {
        panic!("{error}");
    }
    let beyond = beyond.get();
    assert!(
        beyond > 50,
        "only {beyond} runs that showed nothing predict anything"
    );
}
