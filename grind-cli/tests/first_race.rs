//! docs/first-race.md does what it says: its commands run, on the guests that are its two programs, and show what it
//! shows.
//!
//! The guide's `cargo build` needs a registry and minutes; its flags are those of test-programs/build.sh, which made
//! the guests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where the guide's module is, from the directory of its package.
const MODULE: &str = "target/wasm32-unknown-unknown/release/counter.wasm";

/// The guests that are the guide's program with its race, and without.
const RACY: &str = "race_counter.wasm";
const MENDED: &str = "clean_counter_mutex.wasm";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// The code blocks of the guide in that language, in order.
fn blocks(language: &str) -> Vec<String> {
    let guide = read("docs/first-race.md");
    let fence = format!("```{language}\n");
    let found: Vec<_> = (guide.split(&fence).skip(1))
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect();
    assert!(!found.is_empty(), "the guide has no {language}");
    found
}

/// A command of a console block, and the lines shown below it.
struct Shown {
    command: String,
    output: String,
}

fn console() -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    for line in blocks("console").concat().replace("\\\n", "").lines() {
        match (line.strip_prefix("$ "), shown.last_mut()) {
            (Some(command), _) => shown.push(Shown {
                command: command.to_owned(),
                output: String::new(),
            }),
            (None, Some(last)) => last.output.push_str(&format!("{line}\n")),
            (None, None) => panic!("output of no command: {line}"),
        }
    }
    shown
}

/// Commands of the guide, run as a shell would, where this guest is the guide's module.
fn shell(commands: &str, guest: &str) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let module = directory.path().join(MODULE);
    fs::create_dir_all(module.parent().unwrap()).unwrap();
    fs::copy(repository().join("test-programs/wasm").join(guest), module).unwrap();
    let grind = snapbox::cmd::cargo_bin!("grind");
    let mut path = vec![grind.parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    Command::new("sh")
        .args(["-c", commands])
        .current_dir(&directory)
        .env("PATH", std::env::join_paths(path).unwrap())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Whether the lines of `shown` occur in `output` in this order, `...` standing for any.
fn agrees(shown: &str, output: &str) -> bool {
    let mut rest = output.lines();
    let wanted = shown.lines().filter(|line| *line != "...");
    wanted.into_iter().all(|line| rest.any(|got| got == line))
}

#[test]
fn every_command_on_a_module_shows_what_the_guide_shows() {
    let mut ran = 0;
    for Shown { command, output } in console() {
        if !command.starts_with("grind ") {
            assert!(
                command.starts_with("export ") || command.starts_with("cargo build "),
                "nobody runs {command}"
            );
            continue;
        }
        let racy = shell(&command, RACY);
        let report = text(&racy.stderr);
        assert_eq!(racy.status.code(), Some(66), "{command}: {report}");
        assert!(
            !output.is_empty() && agrees(&output, &report),
            "{command}: {report}"
        );
        // "Build, run: silence, exit code 0."
        let mended = shell(&command, MENDED);
        assert_eq!(mended.status.code(), Some(0), "{}", text(&mended.stderr));
        assert_eq!(text(&mended.stderr), "");
        ran += 1;
    }
    assert_eq!(ran, 1);
}

#[test]
fn the_report_is_what_the_guide_explains() {
    let report = text(&shell(&format!("grind run {MODULE}"), RACY).stderr);
    for said in ["(1) ", "(2) ", "holding no lock", "was created by"] {
        assert!(report.contains(said), "{said}: {report}");
    }
    // "The last line is the command that shows the same again."
    let last = report.lines().last().unwrap();
    let again = last.strip_prefix("reproduce: ").unwrap();
    let repeated = shell(again, RACY);
    assert_eq!(text(&repeated.stderr), report);
    let json = shell(&format!("grind run --format json {MODULE}"), RACY);
    assert!(text(&json.stderr).starts_with('{') && json.stdout.is_empty());
}

#[test]
fn doctor_confirms_what_the_guide_says_it_does() {
    let command = format!("grind doctor {MODULE}");
    let guide = read("docs/first-race.md");
    assert!(guide.contains(&format!("`{command}`")));
    let doctor = shell(&command, RACY);
    let said = text(&doctor.stdout) + &text(&doctor.stderr);
    assert_eq!(doctor.status.code(), Some(0), "{said}");
    for word in ["shared", "lines", "alloc"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn the_run_of_many_seeds_fails_until_the_race_is_mended() {
    let blocks = blocks("sh");
    assert!(!blocks.is_empty());
    for commands in blocks {
        let racy = shell(&commands, RACY);
        assert_eq!(racy.status.code(), Some(66), "{}", text(&racy.stderr));
        let mended = shell(&commands, MENDED);
        assert_eq!(mended.status.code(), Some(0), "{}", text(&mended.stderr));
    }
}

#[test]
fn the_guests_are_the_guides_programs_built_with_its_flags() {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let flags = console().into_iter().map(|shown| shown.command);
    let flags: String = flags
        .filter(|command| command.contains("RUSTFLAGS"))
        .collect();
    let build = flat(&read("test-programs/build.sh")).replace("-C ", "-C");
    let mut compared = 0;
    for flag in flags
        .split([' ', '"'])
        .filter(|flag| flag.starts_with("-C"))
    {
        let known = match flag.strip_prefix("-Clink-arg=--export=") {
            Some(symbol) => build.contains(&format!(" {symbol} ")),
            None => build.contains(flag),
        };
        assert!(known, "{flag}");
        compared += 1;
    }
    assert!(compared >= 5, "{flags}");
    let source = read("test-programs/src/bin/race_counter.rs");
    let main = flat(source.split("fn main").nth(1).unwrap());
    assert!(
        flat(&blocks("rust,ignore").concat()).contains(&main),
        "{main}"
    );
}
