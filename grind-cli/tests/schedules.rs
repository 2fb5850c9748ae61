//! Schedules as values: saved, run, shortened, and those that are none.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/guests.rs"]
mod guests;

use grind_runtime::model::ScheduleName;
use grind_runtime::report::json;
use guests::{grind, stderr};
use std::fs;
use tempfile::TempDir;

const RACE: &str = "wasm/race_publish.wasm";

/// The schedule of a seed that shows the race, in a file of this directory.
fn saved(directory: &TempDir) -> String {
    let path = directory.path().join("it.schedule").display().to_string();
    let run = ["run", "--seed", "3", "--save-schedule", &path, RACE];
    grind(&run).assert().code(66);
    path
}

#[test]
fn a_saved_schedule_is_the_same_run_whoever_saved_it() {
    let directory = TempDir::new().unwrap();
    let path = saved(&directory);
    let json = |how: &[&str]| {
        let run = [&["run", "--format", "json"], how, &[RACE]].concat();
        let assert = grind(&run).assert().code(66);
        json::from_str(&stderr(&assert)).unwrap()
    };
    let by_seed = json(&["--seed", "3"]);
    let by_schedule = json(&["--schedule", &path]);
    assert_eq!(by_schedule.findings, by_seed.findings);
    assert!(matches!(
        by_schedule.schedule,
        Some(ScheduleName::Decisions { .. })
    ));
    let again = format!("grind run --schedule {path} {RACE}");
    assert_eq!(by_schedule.reproduce, Some(again));

    // A trace of that run has the same one.
    let in_directory = |name: &str| directory.path().join(name).display().to_string();
    let (trace, other) = (in_directory("t.grind"), in_directory("other.schedule"));
    let run = ["run", "--schedule", &path, "--trace-file", &trace, RACE];
    grind(&run).assert().code(66);
    let replay = ["replay", "--save-schedule", &other, &trace];
    grind(&replay).assert().code(66);
    assert_eq!(fs::read(&path).unwrap(), fs::read(other).unwrap());
}

#[test]
fn the_beginning_of_a_schedule_is_one() {
    let directory = TempDir::new().unwrap();
    let path = saved(&directory);
    let text = fs::read_to_string(&path).unwrap();
    let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
    let changes = file["decisions"]["changes"].as_array_mut().unwrap();
    assert!(changes.len() > 3);
    changes.truncate(1);
    fs::write(&path, file.to_string()).unwrap();
    // Nobody is preempted: one thread runs to its end before the other begins, and the race is still one.
    let run = ["run", "--schedule", &path, RACE];
    grind(&run).assert().code(66);
}

#[test]
fn what_is_no_schedule_of_the_program_says_why() {
    let directory = TempDir::new().unwrap();
    let path = saved(&directory);
    let text = fs::read_to_string(&path).unwrap();
    let run = |text: &str, module: &str, code: i32| {
        fs::write(&path, text).unwrap();
        let assert = grind(&["run", "--schedule", &path, module]).assert();
        stderr(&assert.code(code))
    };
    let said = run(&text, "wasm/race_counter.wasm", 126);
    assert!(said.contains("the schedule is of module "), "{said}");
    let said = run(&text[..text.len() / 2], RACE, 126);
    assert!(said.contains("not a schedule: EOF while parsing"), "{said}");
    let newer = text.replace("\"grind-schedule\":1", "\"grind-schedule\":2");
    let said = run(&newer, RACE, 126);
    assert!(said.contains("has format 2, this grind reads 1"), "{said}");
    let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
    file["sites"] = "0".repeat(64).into();
    let said = run(&file.to_string(), RACE, 126);
    assert!(
        said.contains("instrumented the module in another way"),
        "{said}"
    );
    let mut file: serde_json::Value = serde_json::from_str(&text).unwrap();
    file["decisions"]["changes"][1][1] = 77.into();
    let said = run(&file.to_string(), RACE, 126);
    assert!(
        said.contains("it.schedule: it is no schedule of this run: the scheduler let T77 run for"),
        "{said}"
    );
    assert!(said.contains("that thread cannot run"), "{said}");

    fs::write(&path, &text).unwrap();
    for (arguments, said) in [
        (
            &["--schedule", &path, "--seed", "3"][..],
            "cannot be used with",
        ),
        (
            &["--schedule", &path, "--seeds", "0..3"],
            "cannot be used with",
        ),
        (
            &["--schedule", &path, "--save-schedule", &path],
            "would be written over",
        ),
    ] {
        let assert = grind(&[&["run"], arguments, &[RACE]].concat()).assert();
        let error = stderr(&assert.code(2));
        assert!(error.contains(said), "{error}");
    }
    let assert = grind(&["run", "--scheduler", "luck", RACE])
        .assert()
        .code(2);
    assert!(stderr(&assert).contains("there is no strategy `luck`; there are round-robin, random"));
}
