//! Subjects are found by what there is of strategies, and their twins show nothing.
//!
//! How many schedules each strategy needs is what the bench `subjects` prints.

mod table;
mod trials;

use grind_runtime::{Ending, FindingKind};
use std::collections::BTreeSet;
use table::ROWS;
use trials::{PROGRAM, first_bug, kinds, run, schedules};
use wasmparser::{Parser, Payload};

/// Schedules of each twin, by strategy. Under round-robin there is one.
const TWINS: &[(&str, usize)] = &[("random", 40), ("pct:3,500", 40), ("round-robin", 1)];

/// Of twins with many threads, which take longer.
const TWINS_OF_MANY: usize = 5;
const MANY: u32 = 20;

/// Schedules within which one of these strategies shows a bug.
const BOUNDS: &[(&str, usize)] = &[("random", 3000), ("pct:3,500", 1000)];

#[test]
fn no_schedule_of_a_twin_shows_anything() {
    for row in ROWS {
        for &(strategy, count) in TWINS {
            let many = row.size.is_some_and(|size| size >= MANY);
            let count = if many {
                count.min(TWINS_OF_MANY)
            } else {
                count
            };
            for schedule in schedules(strategy, 0).take(count) {
                let run = run(row, true, schedule.clone());
                let (name, schedule) = (row.name(), schedule.name());
                assert_eq!(kinds(&run), [], "{name}, twin, {schedule}");
                assert_eq!(
                    run.outcome.ending,
                    Ending::Returned,
                    "{name}, twin, {schedule}"
                );
            }
        }
    }
}

#[test]
fn every_bug_is_found_but_those_that_wait_for_a_strategy() {
    let is_found = |row| {
        BOUNDS
            .iter()
            .any(|&(strategy, bound)| first_bug(row, schedules(strategy, 0).take(bound)).is_some())
    };
    let missed: Vec<String> = (ROWS.iter())
        .filter(|row| row.needs.is_none() && !is_found(row))
        .map(|row| {
            let (name, least, published) = (row.name(), row.preemptions, row.published);
            format!("{name}: at least {least} preemptions, published mean {published:?}")
        })
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn nothing_races() {
    for row in ROWS {
        for schedule in schedules("random", 1000).take(5) {
            let kinds = kinds(&run(row, false, schedule));
            assert!(!kinds.contains(&FindingKind::DataRace), "{}", row.name());
        }
    }
}

#[test]
fn the_table_has_what_the_module_exports() {
    let expected: BTreeSet<String> = ROWS.iter().map(|row| row.entry.to_owned()).collect();
    let mut exported = BTreeSet::new();
    for payload in Parser::new(0).parse_all(PROGRAM.original()) {
        if let Payload::ExportSection(section) = payload.unwrap() {
            let names = section.into_iter().map(|export| export.unwrap().name);
            exported.extend(
                names
                    .filter_map(|name| name.strip_suffix("_fixed"))
                    .map(str::to_owned),
            );
        }
    }
    assert_eq!(exported, expected);
}
