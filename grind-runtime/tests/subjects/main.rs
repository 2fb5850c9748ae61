//! Subjects are found by what there is of strategies, and their twins show nothing.
//!
//! How many schedules each strategy needs is what the bench `subjects` prints.

mod preemptions;
mod table;
mod trials;

use grind_runtime::Explorer as _;
use grind_runtime::{Ending, FindingKind};
use preemptions::{Search, search};
use std::collections::BTreeSet;
use table::{ROWS, Row};
use trials::{PROGRAM, feedback, first_bug, kinds, rotation, run};
use wasmparser::{Parser, Payload};

/// Schedules of each twin.
const OF_TWINS: u64 = 200;

/// Of twins with many threads, which take longer.
const OF_TWINS_OF_MANY: u64 = 10;
const MANY: u32 = 20;

/// Schedules within which the usual strategies show a bug. They show most within a dozen; the bench says how many on average.
const BOUND: u64 = 300;

/// Seeds that each bug is looked for from.
const STARTS: [u64; 3] = [0, 1 << 32, 2 << 32];

/// Sizes, which are threads or so, up to which all schedules with few preemptions are run.
const FEW: u32 = 4;

/// Schedules of such a search at most: more than any takes until it fails, or comes to its end below what fails.
const SEARCHED: u32 = 3000;

/// Of a twin, where a search would go on for longer.
const SEARCHED_OF_TWINS: u32 = 400;

#[test]
fn no_schedule_of_a_twin_shows_anything() {
    for row in ROWS {
        let count = match row.size {
            Some(MANY..) => OF_TWINS_OF_MANY,
            _ => OF_TWINS,
        };
        let mut explorer = rotation("usual", 0, count);
        while let Some(schedule) = explorer.next() {
            let run = run(row, true, schedule.clone());
            let name = format!("{}, twin, {}", row.name(), schedule.name());
            assert_eq!(kinds(&run), [], "{name}");
            assert_eq!(run.outcome.ending, Ending::Returned, "{name}");
            explorer.learn(&feedback(schedule, run));
        }
    }
}

#[test]
fn every_bug_is_found_but_those_that_wait_for_something() {
    let is_found = |row| {
        let from = |start| first_bug(row, &mut rotation("usual", start, BOUND));
        STARTS.iter().all(|&start| from(start).is_some())
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

/// Rows whose threads are few enough for a search of all schedules with few preemptions.
fn few() -> impl Iterator<Item = &'static Row> {
    ROWS.iter()
        .filter(|row| row.preemptions <= 2 && row.size.is_none_or(|size| size <= FEW))
}

#[test]
fn bugs_need_the_preemptions_that_their_rows_say() {
    let mut wrong = Vec::new();
    for row in few() {
        let least = row.preemptions as usize;
        let found = search(row, false, least, SEARCHED);
        let below = (least.checked_sub(1)).map(|less| search(row, false, less, SEARCHED));
        let fails = matches!(found, Search::Fails(_));
        if !fails || !below.is_none_or(|below| matches!(below, Search::Holds(_))) {
            wrong.push(format!(
                "{}: {found:?}, with one less {below:?}",
                row.name()
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_schedule_of_a_twin_with_few_preemptions_fails() {
    for row in few() {
        let twin = search(row, true, 2, SEARCHED_OF_TWINS);
        assert!(
            !matches!(twin, Search::Fails(_)),
            "{}: {twin:?}",
            row.name()
        );
    }
}

#[test]
fn nothing_races() {
    for row in ROWS {
        for seed in 1000..1005 {
            let kinds = kinds(&run(row, false, seed.into()));
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
