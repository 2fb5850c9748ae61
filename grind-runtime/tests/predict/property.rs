//! The analyses against definitions and exhaustive search, on generated traces.

use crate::support::generate::{Choice, trace};
use crate::support::orders;
use crate::support::schedules::{Which, reachable};
use grind_runtime::predict::{
    DeadlockPrediction, Event, HappensBefore, LockGraph, Lockset, Op, Osr, RaceAnalysis, Shb,
    SyncPreserving, Wcp, WellFormed,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeSet;

const CASES: u32 = 4000;

fn found(mut analysis: impl RaceAnalysis, events: &[Event]) -> BTreeSet<u32> {
    let races = events.iter().filter_map(|&event| analysis.feed(event));
    races.map(|race| race.at.number).collect()
}

fn choices(length: usize) -> impl Strategy<Value = Vec<Choice>> {
    let choice = any::<(u8, u8, u8)>().prop_map(|(thread, what, operand)| Choice {
        thread,
        what,
        operand,
    });
    vec(choice, 1..length)
}

/// Runs `check` on generated traces, always the same ones, of up to `length` choices.
fn on_traces(length: usize, check: impl Fn(&[Event]) -> Result<(), TestCaseError>) {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&(choices(length), any::<bool>()), |(choices, close)| {
        let events = trace(&choices, close);
        let mut checker = WellFormed::default();
        for &event in &events {
            checker
                .check(event)
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
        check(&events).map_err(|error| match error {
            TestCaseError::Fail(reason) => TestCaseError::fail(format!("{reason}\n{events:#?}")),
            reject => reject,
        })
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn orders_are_as_defined() {
    let tally = RefCell::new([0; 3]);
    on_traces(40, |events| {
        let hb = found(HappensBefore::default(), events);
        let shb = found(Shb::default(), events);
        let wcp = found(Wcp::default(), events);
        prop_assert_eq!(&hb, &orders::happens_before(events), "HB");
        prop_assert_eq!(&shb, &orders::schedulable(events), "SHB");
        prop_assert_eq!(&wcp, &orders::weak_causal(events), "WCP");
        prop_assert!(orders::happens_before_with_stores(events).is_subset(&wcp));
        let counts = [
            hb.len(),
            hb.difference(&shb).count(),
            wcp.difference(&hb).count(),
        ];
        for (sum, count) in tally.borrow_mut().iter_mut().zip(counts) {
            *sum += count;
        }
        Ok(())
    });
    let tally = tally.into_inner();
    assert!(tally.iter().all(|&count| count > 100), "{tally:?}");
}

/// Forgetting sections orders more, and nothing less.
#[test]
fn forgotten_sections_only_hide_races() {
    let hidden = RefCell::new(0);
    on_traces(40, |events| {
        let all = found(Wcp::default(), events);
        for sections in 0..4 {
            let some = found(Wcp::with_sections(sections), events);
            prop_assert!(some.is_subset(&all), "{sections}: {some:?} of {all:?}");
            *hidden.borrow_mut() += all.len() - some.len();
        }
        Ok(())
    });
    assert!(hidden.into_inner() > 100);
}

/// The same of events that the reversal analysis cannot look at any more.
#[test]
fn forgotten_events_only_hide_races() {
    let hidden = RefCell::new(0);
    on_traces(44, |events| {
        let all = found(Osr::default(), events);
        for most in [1, 4, 16] {
            let some = found(Osr::with_events(most), events);
            prop_assert!(some.is_subset(&all), "{most}: {some:?} of {all:?}");
            *hidden.borrow_mut() += all.len() - some.len();
        }
        Ok(())
    });
    assert!(hidden.into_inner() > 10);
}

/// Nobody has to check a trace before an analysis gets it.
#[test]
fn nothing_fails_on_traces_that_cannot_be() {
    const OPS: [Op; 16] = [
        Op::Needs,
        Op::Read,
        Op::Write,
        Op::AtomicRead,
        Op::AtomicWrite,
        Op::Acquire,
        Op::Release,
        Op::Fork,
        Op::Join,
        Op::Request,
        Op::Begin,
        Op::End,
        Op::Wait,
        Op::Notify,
        Op::Load,
        Op::Store,
    ];
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let malformed = RefCell::new(0);
    let result = TestRunner::new_with_rng(config, rng).run(&choices(60), |choices| {
        let events: Vec<_> = choices
            .iter()
            .map(|choice| {
                let op = OPS[usize::from(choice.what) % OPS.len()];
                Event::new(
                    u32::from(choice.thread % 4),
                    op,
                    u32::from(choice.operand % 4),
                )
            })
            .collect();
        let mut checker = WellFormed::default();
        let fine = events.iter().all(|&event| checker.check(event).is_ok());
        *malformed.borrow_mut() += u32::from(!fine);
        let mut graph = LockGraph::default();
        let mut deadlocks = DeadlockPrediction::default();
        for &event in &events {
            graph.feed(event);
            deadlocks.feed(event, |found| assert!(found.other.number < found.at.number));
        }
        graph.finish();
        let racy = [
            found(HappensBefore::default(), &events),
            found(Shb::default(), &events),
            found(Wcp::default(), &events),
            found(Wcp::with_sections(1), &events),
            found(SyncPreserving::default(), &events),
            found(Osr::default(), &events),
            found(Lockset::default(), &events),
        ];
        let accesses = (events.iter()).filter(|event| {
            matches!(
                event.op,
                Op::Read | Op::Write | Op::AtomicRead | Op::AtomicWrite
            )
        });
        prop_assert!(
            racy.iter()
                .all(|racy| racy.len() <= accesses.clone().count())
        );
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(malformed.into_inner() > CASES / 2);
}

#[test]
fn what_is_predicted_can_be_made_to_happen() {
    let tally = RefCell::new([0; 5]);
    on_traces(56, |events| {
        let late = |races: &BTreeSet<(u32, u32)>| -> BTreeSet<u32> {
            races.iter().map(|race| race.1).collect()
        };
        let all = reachable(events, Which::All);
        let preserving = reachable(events, Which::SyncPreserving);
        let predictable = late(&all.races);
        let shb = found(Shb::default(), events);
        let syncp = found(SyncPreserving::default(), events);
        let osr = found(Osr::default(), events);
        prop_assert!(shb.is_subset(&syncp), "SHB {shb:?} SyncP {syncp:?}");
        prop_assert_eq!(&syncp, &late(&preserving.races), "SyncP");
        prop_assert!(
            osr.is_subset(&predictable),
            "OSR {osr:?} of {predictable:?}"
        );
        let first = |races: BTreeSet<u32>| races.first().copied();
        // What needs a notify is no schedule's without it.
        let needs = events.iter().any(|event| event.op == Op::Needs);
        if let (false, Some(first)) = (needs, first(found(HappensBefore::default(), events))) {
            prop_assert!(predictable.contains(&first), "HB {first}");
        }
        if let Some(first) = first(found(Wcp::default(), events)) {
            prop_assert!(all.deadlock || !predictable.is_empty(), "WCP {first}");
        }

        let mut deadlocks = BTreeSet::new();
        let mut analysis = DeadlockPrediction::default();
        let mut graph = LockGraph::default();
        for &event in events {
            analysis.feed(event, |deadlock| {
                deadlocks.insert((deadlock.other.number, deadlock.at.number));
            });
            graph.feed(event);
        }
        prop_assert_eq!(&deadlocks, &preserving.deadlocks, "deadlocks");
        prop_assert!(deadlocks.is_subset(&all.deadlocks));
        let circles = graph.finish();
        prop_assert!(!circles.incomplete);
        prop_assert!(!all.deadlock || !circles.circles.is_empty(), "no candidate");
        let counts = [
            syncp.difference(&shb).count(),
            osr.difference(&syncp).count(),
            predictable.difference(&osr).count(),
            deadlocks.len(),
            all.deadlocks.difference(&deadlocks).count(),
        ];
        for (sum, count) in tally.borrow_mut().iter_mut().zip(counts) {
            *sum += count;
        }
        Ok(())
    });
    let tally = tally.into_inner();
    assert!(tally.iter().all(|&count| count > 0), "{tally:?}");
}
