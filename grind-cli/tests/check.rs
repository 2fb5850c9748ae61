//! `grind check`: what it finds, how it says so, and that it is the same on any number of cores.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/guests.rs"]
mod guests;

use grind_runtime::report::{self, FindingKind, Report, json};
use guests::{grind, stderr};
use std::fs;
use tempfile::TempDir;

const RACE: &str = "wasm/race_publish.wasm";
const CLEAN: &str = "wasm/norace_publish.wasm";
const SUBJECTS: &str = "wasm/subjects/subjects.wasm";

fn report(arguments: &[&str], code: i32) -> Report {
    let arguments = [&["check", "--format", "json"], arguments].concat();
    json::from_str(&stderr(&grind(&arguments).assert().code(code))).unwrap()
}

#[test]
fn it_ends_at_the_first_finding_and_says_how_to_see_it_again() {
    let checked = report(&[RACE], 66);
    assert_eq!(checked.command, report::Command::Check);
    let schedules = checked.schedules.clone().unwrap();
    assert_eq!(schedules.with_findings, 1);
    let shown: u64 = schedules.outcomes.iter().map(|outcome| outcome.count).sum();
    assert_eq!(shown, schedules.run);
    let race = &checked.findings[0];
    assert_eq!(race.kind, FindingKind::DataRace);
    // All of them are run if that is wanted.
    let all = report(&["--keep-going", "--schedules", "30", RACE], 66);
    let schedules = all.schedules.unwrap();
    assert_eq!(schedules.run, 30);
    assert!(schedules.with_findings > 1);
    assert_eq!(all.findings[0].fingerprint, race.fingerprint);
}

#[test]
fn a_program_without_a_defect_shows_none() {
    let checked = ["check", "--schedules", "40", CLEAN];
    let said = stderr(&grind(&checked).assert().code(0));
    let summary = "grind: no findings · round-robin seed 0 to ";
    assert!(said.contains(summary), "{said}");
    assert!(said.contains("0 of 40 with findings"), "{said}");
}

#[test]
fn what_needs_luck_otherwise_is_found_and_runs_again() {
    let subject = ["--invoke", "reorder", SUBJECTS, "20"];
    let found = report(&subject, 134);
    assert_eq!(found.findings[0].kind, FindingKind::Trap);
    let run = found.schedules.clone().unwrap().run;
    assert!(run <= 60, "{run}");
    // As the report says, word by word.
    let reproduce = found.reproduce.clone().unwrap();
    let words: Vec<&str> = (reproduce.split(' '))
        .map(|word| word.trim_matches('\''))
        .collect();
    assert_eq!(words[..2], ["grind", "run"]);
    let again = [&["run", "--format", "json"], &words[2..]].concat();
    let assert = grind(&again).assert().code(134);
    let again: Report = json::from_str(&stderr(&assert)).unwrap();
    let fingerprint = |report: &Report| report.findings[0].fingerprint;
    assert_eq!(fingerprint(&again), fingerprint(&found));
    assert_eq!(again.reproduce, found.reproduce);
    // The twin has none.
    let twin = [
        "--invoke",
        "reorder_fixed",
        "--schedules",
        "60",
        SUBJECTS,
        "20",
    ];
    assert!(report(&twin, 0).findings.is_empty());
}

#[test]
fn the_number_of_cores_makes_no_difference() {
    let with = |jobs: &str| {
        let how = ["--keep-going", "--schedules", "150", "--jobs", jobs];
        let which = ["--invoke", "lost_wakeup", SUBJECTS];
        report(&[&how[..], &which].concat(), 66)
    };
    let one = with("1");
    assert_eq!(one.schedules.as_ref().unwrap().run, 150);
    assert!(one.schedules.as_ref().unwrap().outcomes.len() > 1);
    assert_eq!(with("4"), one);
}

#[test]
fn ways_to_end_are_listed_where_there_are_several() {
    let how = ["check", "--keep-going", "--schedules", "60"];
    let which = ["--invoke", "lost_wakeup", SUBJECTS];
    let said = stderr(&grind(&[&how[..], &which].concat()).assert().code(66));
    assert!(said.contains(" schedules: exit code 0, first "), "{said}");
    assert!(said.contains(": deadlock, first "), "{said}");
}

#[test]
fn time_ends_it_and_one_schedule_is_run_in_any_case() {
    let how = ["--time", "1ms", "--schedules", "100000000", "--jobs", "1"];
    let run = report(&[&how[..], &[CLEAN]].concat(), 0)
        .schedules
        .unwrap()
        .run;
    assert!((1..1000).contains(&run), "{run}");
}

#[test]
fn a_program_that_never_ends_is_ended() {
    let wat = "(module (memory 1) (func (export \"_start\") (loop (br 0))))";
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("for_ever.wat");
    fs::write(&path, wat).unwrap();
    let ended = report(&["--time", "300ms", path.to_str().unwrap()], 124);
    let schedules = ended.schedules.unwrap();
    assert_eq!(schedules.timed_out, schedules.run);
    assert!(schedules.outcomes[0].how.starts_with("stopped: "));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (arguments, says) in [
        (
            &["--strategy", "luck"][..],
            "there is no strategy `luck`; there are round-robin, random",
        ),
        (&["--strategy", "pos,pct:0"], "`0` is not a depth of `pct`"),
        (
            &["--strategy", "surw:16,2,0"],
            "`surw` has 2 parameters and groups of 4 behind them, not 3",
        ),
        (&["--seeds", "5..5"], "there is no seed in this range"),
        (&["--schedules", "0"], "number would be zero"),
        (&["--time", "0"], "a run needs some time"),
        (&["--until-finding", "--keep-going"], "cannot be used with"),
        (
            &["--seeds", "0..5", "--schedules", "5"],
            "cannot be used with",
        ),
    ] {
        let all = [&["check"], arguments, &[CLEAN]].concat();
        let said = stderr(&grind(&all).assert().code(2));
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    let said = stderr(&grind(&["check", "nowhere.wasm"]).assert().code(127));
    assert!(said.contains("nowhere.wasm"), "{said}");
}
