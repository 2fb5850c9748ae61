//! The detector against a naive one, on generated streams.

mod analysis_support;

use analysis_support::naive::{Naive, Seen};
use analysis_support::streams::{Choices, Scale, Stream, bytes, generate};
use grind_runtime::detect::{
    Access, AccessKind, AnalysisOptions, AnalysisOutcome, Diagnosis, HeapMisuse, LiveAnalysis,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn analyse(stream: &Stream) -> AnalysisOutcome {
    let mut analysis = LiveAnalysis::new(Arc::clone(&stream.sites), AnalysisOptions::default());
    stream.deliver(&mut analysis);
    if analysis.needs_second_pass() {
        analysis = analysis.into_second_pass();
        stream.deliver(&mut analysis);
    }
    analysis.finish()
}

fn is(seen: &Seen, access: &Access, scale: Scale) -> bool {
    seen.thread == access.thread.0
        && (scale.addr(seen.addr), scale.len(seen)) == (access.addr, access.len)
        && seen.write == access.write
        && seen.atomic == (access.kind == AccessKind::Atomic)
        && seen.stack == access.stack
        && seen
            .locks
            .iter()
            .eq(access.locks.iter().map(|held| &held.lock))
}

/// How many streams had what; so that a test knows that it tested something.
#[derive(Debug, Default)]
struct Tally {
    racy: u32,
    clean: u32,
    pairs: usize,
    misuses: usize,
    repeats: usize,
}

/// The strongest that holds; an error says what does not.
fn check(stream: &Stream, tally: &mut Tally) -> Result<(), String> {
    check_scaled(stream, Scale(1), tally)
}

fn check_scaled(stream: &Stream, scale: Scale, tally: &mut Tally) -> Result<(), String> {
    let naive = Naive::run(stream);
    let outcome = if scale == Scale(1) {
        analyse(stream)
    } else {
        analyse(&scale.stream(stream))
    };
    if !outcome.limits.is_empty() || outcome.stats.unresolved > 0 {
        return Err(format!("{:?}, {:?}", outcome.limits, outcome.stats));
    }
    let mut by_stack: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, seen) in naive.accesses.iter().enumerate() {
        by_stack.entry(seen.stack.clone()).or_default().push(index);
    }
    let pairs: BTreeSet<_> = naive.races.iter().map(|&(a, b, _)| (a, b)).collect();
    let find = |access: &Access| match by_stack.get(&access.stack).map(Vec::as_slice) {
        Some(&[index]) if is(&naive.accesses[index], access, scale) => Ok(index),
        other => Err(format!("{access:?} is none of {other:?}")),
    };
    // Soundness: every reported pair was made like that, and races.
    let mut flagged = BTreeSet::new();
    let mut last = 0;
    let mut misuses = BTreeSet::new();
    for found in &outcome.diagnoses {
        if let Diagnosis::HeapMisuse { misuse, access, .. } = &found.diagnosis {
            misuses.insert((*misuse, access.thread.0, access.stack.clone()));
            continue;
        }
        let Diagnosis::DataRace { first, second, .. } = &found.diagnosis else {
            return Err(format!("{found:?}"));
        };
        let pair = (find(first)?, find(second)?);
        if !pairs.contains(&pair) {
            return Err(format!("does not race: {pair:?}: {found:?}"));
        }
        if found.count != 1 {
            return Err(format!("one access counts once: {found:?}"));
        }
        if pair.1 < last {
            return Err("out of order".to_owned());
        }
        last = pair.1;
        flagged.insert(pair.1);
    }
    // Of uses after free, those that repeat others are not told, nor those of a thread that is alone.
    let told = |set: &BTreeSet<(HeapMisuse, u32, Vec<_>)>| -> BTreeSet<_> {
        (set.iter())
            .filter(|(misuse, ..)| *misuse != HeapMisuse::UseAfterFree)
            .cloned()
            .collect()
    };
    if !misuses.is_subset(&naive.misuses) || told(&misuses) != told(&naive.misuses) {
        return Err(format!("heap: {:?} and {misuses:?}", naive.misuses));
    }
    tally.misuses += misuses.len();
    // Completeness: whatever races is flagged, unless it repeats an access of its thread and epoch that races
    // with the same.
    for &(earlier, later, byte) in &naive.races {
        if flagged.contains(&later) {
            continue;
        }
        let missed = &naive.accesses[later];
        let repeats = (earlier + 1..later).any(|index| {
            let between = &naive.accesses[index];
            between.thread == missed.thread
                && between.epoch() == missed.epoch()
                && between.covers(byte)
                && between.no_weaker_than(missed)
        });
        if !repeats {
            let older = &naive.accesses[earlier];
            return Err(format!(
                "missed at byte {byte:#x}: {older:?} and {missed:?}"
            ));
        }
        tally.repeats += 1;
    }
    // The first access that races is the same.
    if naive.races.first().map(|race| race.1) != flagged.first().copied() {
        return Err(format!(
            "first: {:?} and {:?}",
            naive.races.first(),
            flagged.first()
        ));
    }
    tally.pairs += outcome.diagnoses.len();
    if naive.races.is_empty() {
        tally.clean += 1;
    } else {
        tally.racy += 1;
    }
    Ok(())
}

fn seeds(range: std::ops::Range<u64>, len: usize) {
    let mut tally = Tally::default();
    for seed in range {
        let stream = generate(Choices(&bytes(seed, len)));
        if let Err(problem) = check(&stream, &mut tally) {
            panic!("seed {seed}, {len} bytes: {problem}\n{}", stream.dump());
        }
    }
    assert!(
        tally.racy > 100 && tally.clean > 100 && tally.repeats > 0 && tally.misuses > 0,
        "{tally:?}"
    );
}

#[test]
fn short_streams_agree_with_the_naive_detector() {
    seeds(0..140_000, 60);
}

#[test]
fn medium_streams_agree_with_the_naive_detector() {
    seeds(1_000_000..1_060_000, 160);
}

#[test]
fn long_streams_agree_with_the_naive_detector() {
    seeds(2_000_000..2_008_000, 700);
}

#[test]
fn large_ranges_agree_with_the_naive_detector() {
    let mut tally = Tally::default();
    for seed in 3_000_000..3_002_000 {
        let stream = generate(Choices(&bytes(seed, 120))).in_ranges();
        if let Err(problem) = check_scaled(&stream, Scale(8192), &mut tally) {
            panic!("seed {seed}: {problem}\n{}", stream.dump());
        }
    }
    assert!(tally.racy > 50 && tally.clean > 20, "{tally:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_agrees_with_the_naive_detector(
        choices in prop::collection::vec(any::<u8>(), 0..300)
    ) {
        let stream = generate(Choices(&choices));
        if let Err(problem) = check(&stream, &mut Tally::default()) {
            prop_assert!(false, "{problem}\n{}", stream.dump());
        }
    }
}
