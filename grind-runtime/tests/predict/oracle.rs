//! Every analysis against `tests/oracle`, event by event.

use grind_runtime::predict::{
    Checked, DeadlockPrediction, Discipline, Event, Extensions, HappensBefore, LockGraph, Lockset,
    Osr, RaceAnalysis, Shb, Source, StdReader, SyncPreserving, Wcp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

/// The rows of a table, as maps from its columns.
fn table(name: &str) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(directory().join(name)).unwrap();
    let mut lines = text.lines();
    let columns: Vec<_> = lines.next().unwrap().split('\t').collect();
    lines
        .map(|line| {
            let cells: Vec<_> = line.split('\t').collect();
            assert_eq!(cells.len(), columns.len(), "{line}");
            columns
                .iter()
                .zip(cells)
                .map(|(c, v)| ((*c).to_owned(), v.to_owned()))
                .collect()
        })
        .collect()
}

/// All events of a trace, which is well-formed.
pub(crate) fn trace(name: &str) -> Vec<Event> {
    let mut path = directory().join(format!("{name}.std"));
    if !path.exists() {
        path = directory().join(format!("tiny/{name}.std"));
    }
    let text = fs::read(path).unwrap();
    let mut source = Checked::new(StdReader::new(text.as_slice(), Extensions::Off));
    let mut events = Vec::new();
    while let Some(event) = source.next_event().unwrap() {
        events.push(event);
    }
    events
}

fn locations(text: &str) -> BTreeSet<u32> {
    let none = text == "none";
    text.split(',')
        .filter(|_| !none)
        .map(|location| location.parse().unwrap())
        .collect()
}

fn found(mut analysis: impl RaceAnalysis, events: &[Event]) -> BTreeSet<u32> {
    let races: Vec<_> = events
        .iter()
        .filter_map(|&event| analysis.feed(event))
        .collect();
    let totals = analysis.finish();
    assert_eq!(
        (totals.events as usize, totals.racy as usize),
        (events.len(), races.len())
    );
    for race in &races {
        let late = events[race.at.number as usize - 1];
        assert_eq!(
            (late.location, late.operand),
            (race.at.location, race.variable)
        );
        if let Some(other) = race.other {
            let early = events[other.number as usize - 1];
            assert!(
                other.number < race.at.number && early.thread != late.thread,
                "{race:?}"
            );
            assert_eq!(
                (early.location, early.operand),
                (other.location, race.variable)
            );
        }
    }
    races.iter().map(|race| race.at.location).collect()
}

/// Checks `column` in all rows that have it and that `trusted` accepts, and returns how many those were.
fn agrees<A: RaceAnalysis>(
    column: &str,
    trusted: impl Fn(&BTreeMap<String, String>) -> bool,
    analysis: impl Fn() -> A,
) -> usize {
    let known: BTreeMap<(String, String), BTreeSet<u32>> = table("races.tsv")
        .iter()
        .map(|row| {
            let key = (row["trace"].clone(), row["analysis"].clone());
            (key, locations(&row["racy_locs"]))
        })
        .collect();
    let mut checked = 0;
    for row in table("expected.tsv") {
        if row[column] == "-" || !trusted(&row) {
            continue;
        }
        let name = &row["trace"];
        let expected = match row.get(&format!("{column}_locs")) {
            Some(text) => locations(text),
            None => known
                .get(&(name.clone(), column.to_owned()))
                .cloned()
                .unwrap_or_default(),
        };
        assert_eq!(
            expected.len().to_string(),
            row[column],
            "the table contradicts itself: {name}"
        );
        assert_eq!(
            found(analysis(), &trace(name)),
            expected,
            "{column} of {name}"
        );
        checked += 1;
    }
    checked
}

const ROWS: usize = 412;

#[test]
fn happens_before() {
    assert_eq!(agrees("HB", |_| true, HappensBefore::default), ROWS);
}

#[test]
fn schedulable_happens_before() {
    assert_eq!(agrees("SHB", |_| true, Shb::default), ROWS);
}

#[test]
fn lockset_discipline() {
    assert_eq!(
        agrees("Eraser", |_| true, || Lockset::new(Discipline::Pure)),
        ROWS
    );
}

#[test]
fn weak_causal_precedence() {
    assert_eq!(agrees("WCP", |_| true, Wcp::default), ROWS);
}

#[test]
fn sync_preserving() {
    assert_eq!(agrees("SyncP", |_| true, SyncPreserving::default), ROWS);
}

#[test]
fn optimistic_reversal() {
    assert_eq!(agrees("OSR", |row| row["OSR_ok"] == "1", Osr::default), 395);
}

fn pairs(text: &str) -> BTreeSet<(u32, u32)> {
    let none = text == "none";
    let pair = |pair: &str| {
        let (early, late) = pair.split_once('-').unwrap();
        (early.parse().unwrap(), late.parse().unwrap())
    };
    text.split(';').filter(|_| !none).map(pair).collect()
}

const EXACT_ROWS: usize = 366;

/// Against exhaustive search: what is said to be sound reports nothing else, and what is said to be complete misses
/// nothing. The rows without a trusted count are among these, too.
#[test]
fn nothing_unpredictable_is_reported() {
    let rows = table("exact.tsv");
    assert_eq!(rows.len(), EXACT_ROWS);
    let mut more = 0;
    for row in &rows {
        let name = &row["trace"];
        let events = trace(name);
        let late = |text| -> BTreeSet<u32> { pairs(text).iter().map(|pair| pair.1).collect() };
        let predictable = late(&row["predictable_races"]);
        let preserving = late(&row["sync_preserving_races"]);
        let optimistic = found(Osr::default(), &events);
        assert!(
            found(Shb::default(), &events).is_subset(&preserving),
            "{name}"
        );
        assert_eq!(
            found(SyncPreserving::default(), &events),
            preserving,
            "{name}"
        );
        assert!(optimistic.is_subset(&predictable), "{name}");
        more += optimistic.difference(&preserving).count();
        let mut analysis = HappensBefore::default();
        if let Some(first) = events.iter().find_map(|&event| analysis.feed(event)) {
            assert!(predictable.contains(&first.at.location), "{name}");
        }
    }
    assert!(more > 100, "reversals find {more} more");
}

#[test]
fn deadlocks() {
    let mut proven = 0;
    for row in table("exact.tsv") {
        let name = &row["trace"];
        let mut found = BTreeSet::new();
        let mut analysis = DeadlockPrediction::default();
        let mut graph = LockGraph::default();
        for event in trace(name) {
            analysis.feed(event, |deadlock| {
                found.insert((deadlock.other.location, deadlock.at.location));
            });
            graph.feed(event);
        }
        let preserving = pairs(&row["sync_preserving_deadlocks"]);
        let predictable = pairs(&row["predictable_deadlocks"]);
        assert_eq!(found, preserving, "{name}");
        assert!(found.is_subset(&predictable), "{name}");
        let circles = graph.finish();
        assert!(!circles.incomplete, "{name}");
        let two = circles.circles.iter().any(|circle| circle.0.len() == 2);
        assert!(two || predictable.is_empty(), "{name} has no candidate");
        proven += found.len();
    }
    assert!(proven > 20, "only {proven}");
}
