//! What each analysis is for, on traces that can be read.

use grind_runtime::predict::{
    Checked, DeadlockPrediction, Discipline, Extensions, HappensBefore, LockGraph, Lockset, Osr,
    RaceAnalysis, ReadError, Shb, Source, StdReader, SyncPreserving, Wcp,
};

/// Of a trace with a line per event and its number as location.
fn source(lines: &[&str]) -> impl Source {
    let line = |(number, line): (usize, &&str)| format!("{line}|{}\n", number + 1);
    let text: String = lines.iter().enumerate().map(line).collect();
    Checked::new(StdReader::new(std::io::Cursor::new(text), Extensions::On))
}

fn races(mut analysis: impl RaceAnalysis, lines: &[&str]) -> Vec<u32> {
    let mut found = Vec::new();
    let totals = analysis
        .run(source(lines), |race| found.push(race.at.location))
        .unwrap();
    assert_eq!(totals.events as usize, lines.len());
    found
}

/// Of happens-before, SHB, WCP, sync-preserving and reversal.
fn all(lines: &[&str]) -> [Vec<u32>; 5] {
    [
        races(HappensBefore::default(), lines),
        races(Shb::default(), lines),
        races(Wcp::default(), lines),
        races(SyncPreserving::default(), lines),
        races(Osr::default(), lines),
    ]
}

const NONE: [u32; 0] = [];

#[test]
fn two_writes() {
    assert_eq!(all(&["A|w(x)", "B|w(x)"]), [[2]; 5]);
    assert_eq!(all(&["A|w(x)", "B|w(y)"]), [NONE; 5]);
    assert_eq!(all(&["A|r(x)", "B|r(x)"]), [NONE; 5]);
    let locked = [
        "A|acq(l)", "A|w(x)", "A|rel(l)", "B|acq(l)", "B|w(x)", "B|rel(l)",
    ];
    assert_eq!(all(&locked), [NONE; 5]);
}

#[test]
fn what_orders() {
    let racing = [
        "A|w(x)",
        "A|fork(B)",
        "A|w(x)",
        "B|w(x)",
        "A|join(B)",
        "A|w(x)",
    ];
    assert_eq!(all(&racing), [[4]; 5]);
    let ordered = ["A|w(x)", "A|fork(B)", "B|w(x)", "A|join(B)", "A|w(x)"];
    assert_eq!(all(&ordered), [NONE; 5]);
    assert_eq!(
        all(&["A|w(x)", "A|notify(c)", "B|wait(d)", "B|w(x)"]),
        [[4]; 5]
    );
    assert_eq!(
        all(&["A|w(x)", "A|notify(c)", "B|wait(c)", "B|w(x)"]),
        [NONE; 5]
    );
}

/// The second race is none: B wrote `z` because it read what A had written after `z`.
#[test]
fn after_the_first_race() {
    let lines = ["A|w(z)", "A|w(x)", "B|r(x)", "B|w(z)"];
    assert_eq!(races(HappensBefore::default(), &lines), [3, 4]);
    assert_eq!(races(Wcp::default(), &lines), [3, 4]);
    assert_eq!(races(Shb::default(), &lines), [3]);
    assert_eq!(races(SyncPreserving::default(), &lines), [3]);
    assert_eq!(races(Osr::default(), &lines), [3]);
}

/// A's section need not have been.
#[test]
fn a_section_is_left_out() {
    let lines = [
        "A|w(x)", "A|acq(l)", "A|w(y)", "A|rel(l)", "B|acq(l)", "B|w(y)", "B|rel(l)", "B|w(x)",
    ];
    assert_eq!(all(&lines), [vec![], vec![], vec![], vec![8], vec![8]]);
    // It has to be if B reads what is written in it.
    let read = [
        "A|w(x)", "A|acq(l)", "A|w(y)", "A|rel(l)", "B|acq(l)", "B|r(y)", "B|rel(l)", "B|w(x)",
    ];
    assert_eq!(all(&read), [NONE; 5]);
}

/// B's section comes first.
#[test]
fn sections_swap() {
    let lines = [
        "A|acq(l)", "A|w(x)", "A|rel(l)", "B|acq(l)", "B|rel(l)", "B|w(x)",
    ];
    assert_eq!(all(&lines), [vec![], vec![], vec![6], vec![], vec![6]]);
    // It cannot if it conflicts with what A did before.
    let conflict = [
        "A|acq(l)", "A|w(y)", "A|w(x)", "A|rel(l)", "B|acq(l)", "B|w(y)", "B|rel(l)", "B|w(x)",
    ];
    assert_eq!(all(&conflict), [NONE; 5]);
}

/// That A's first acquire of `l` precedes its second release does not order its own two sections: what it did at the
/// end of the first one, C does not learn with the lock, and does not hand on to D.
#[test]
fn sections_of_one_thread() {
    let mut lines = [
        "A|acq(l)", "A|acq(m)", "A|w(y)", "A|rel(m)", "A|w(x)", "A|rel(l)", "B|acq(m)", "B|w(y)",
        "B|rel(m)", "B|acq(n)", "B|rel(n)", "A|acq(n)", "A|rel(n)", "A|acq(l)", "A|rel(l)",
        "C|acq(l)", "C|acq(k)", "C|rel(k)", "C|rel(l)", "D|acq(k)", "D|rel(k)", "D|w(x)",
    ];
    assert_eq!(races(Wcp::default(), &lines), [22]);
    // What it did before the release that precedes, does precede.
    lines.swap(3, 4);
    assert_eq!(races(Wcp::default(), &lines), NONE);
}

/// Line 7 needs two open sections of `l`. By line 9, C has released it, and A's section can come last.
#[test]
fn a_release_makes_a_schedule_possible() {
    let lines = [
        "A|acq(l)", "A|w(x)", "A|rel(l)", "C|acq(l)", "C|w(z)", "B|r(z)", "B|w(x)", "C|rel(l)",
        "B|w(x)",
    ];
    assert_eq!(races(Osr::default(), &lines), [6, 9]);
    assert_eq!(races(SyncPreserving::default(), &lines), [6]);
}

#[test]
fn locksets() {
    let both = |lines: &[&str]| {
        [Discipline::Pure, Discipline::States].map(|kind| races(Lockset::new(kind), lines))
    };
    // No lock is held at all three.
    let mixed = [
        "A|acq(l)", "A|w(x)", "A|rel(l)", "B|acq(m)", "B|w(x)", "B|rel(m)", "A|acq(l)", "A|w(x)",
        "A|rel(l)",
    ];
    assert_eq!(both(&mixed), [vec![5, 8], vec![8]]);
    let same = [
        "A|acq(l)", "A|w(x)", "A|rel(l)", "B|acq(m)", "B|acq(l)", "B|w(x)", "B|rel(l)", "B|rel(m)",
    ];
    assert_eq!(both(&same), [NONE; 2]);
    // Made by one thread, read by others: the states allow it, the discipline does not.
    let initialised = ["A|w(x)", "A|w(x)", "B|r(x)", "C|r(x)"];
    assert_eq!(both(&initialised), [vec![3, 4], vec![]]);
    let written = ["A|w(x)", "B|r(x)", "C|w(x)", "A|r(x)"];
    assert_eq!(both(&written), [vec![2, 3, 4], vec![3, 4]]);
    assert_eq!(both(&["A|r(x)", "B|r(x)"]), [NONE; 2]);
}

fn deadlocks(lines: &[&str]) -> Vec<(u32, u32)> {
    let mut source = source(lines);
    let mut analysis = DeadlockPrediction::default();
    let mut found = Vec::new();
    while let Some(event) = source.next_event().unwrap() {
        analysis.feed(event, |deadlock| {
            found.push((deadlock.other.location, deadlock.at.location));
        });
    }
    found
}

fn candidates(lines: &[&str]) -> Vec<usize> {
    let mut source = source(lines);
    let mut graph = LockGraph::default();
    while let Some(event) = source.next_event().unwrap() {
        graph.feed(event);
    }
    graph
        .finish()
        .circles
        .iter()
        .map(|circle| circle.0.len())
        .collect()
}

#[test]
fn deadlock() {
    let opposite = [
        "A|acq(l)", "A|acq(m)", "A|rel(m)", "A|rel(l)", "B|acq(m)", "B|acq(l)", "B|rel(l)",
        "B|rel(m)",
    ];
    assert_eq!(
        (deadlocks(&opposite), candidates(&opposite)),
        (vec![(2, 6)], vec![2])
    );
    // B begins with what A did last: only a candidate.
    let ordered = [
        "A|acq(l)", "A|acq(m)", "A|rel(m)", "A|rel(l)", "A|w(x)", "B|r(x)", "B|acq(m)", "B|acq(l)",
        "B|rel(l)", "B|rel(m)",
    ];
    assert_eq!(
        (deadlocks(&ordered), candidates(&ordered)),
        (vec![], vec![2])
    );
    let guarded = [
        "A|acq(g)", "A|acq(l)", "A|acq(m)", "A|rel(m)", "A|rel(l)", "A|rel(g)", "B|acq(g)",
        "B|acq(m)", "B|acq(l)", "B|rel(l)", "B|rel(m)", "B|rel(g)",
    ];
    assert_eq!(
        (deadlocks(&guarded), candidates(&guarded)),
        (vec![], vec![])
    );
}

/// An acquire has at most 64 partners, and goes on to be one.
#[test]
fn many_deadlocks() {
    let mut lines = Vec::new();
    for _ in 0..70 {
        lines.extend(["A|acq(l)", "A|acq(m)", "A|rel(m)", "A|rel(l)"]);
    }
    lines.extend(["B|acq(m)", "B|acq(l)", "B|rel(l)", "B|rel(m)"]);
    let found = deadlocks(&lines);
    assert_eq!(found.len(), 64);
    assert!(found.iter().all(|&(_, late)| late == 282));
}

#[test]
fn a_trace_that_cannot_be_is_named() {
    let mut analysis = HappensBefore::default();
    let error = analysis
        .run(source(&["A|acq(l)", "B|w(x)", "B|acq(l)"]), |_| {})
        .unwrap_err();
    assert!(matches!(&error, ReadError::Malformed(violation) if violation.number == 3));
    let expected = "event 3 (location 3): thread 1 acquires lock 0, which thread 0 holds";
    assert_eq!(error.to_string(), expected);
}
