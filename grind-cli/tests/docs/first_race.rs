//! docs/first-race.md is about two guests: its program with the race, and without.

use crate::pages::{Place, Source, blocks, commands, read, text};

/// Where the guide's module is, from the directory of its package.
pub(crate) const MODULE: &str = "target/wasm32-unknown-unknown/release/counter.wasm";

const GUIDE: &str = "docs/first-race.md";
const RACY: &str = "test-programs/wasm/race_counter.wasm";
const MENDED: &str = "test-programs/wasm/clean_counter_mutex.wasm";

#[test]
fn the_mended_program_is_silent() {
    // "Build, run: silence, exit code 0."
    let mended = Place::new(&[(MODULE, Source::Copy(MENDED))]);
    let mut ran = 0;
    for shown in commands(GUIDE) {
        if shown.command.starts_with("grind run ") {
            let output = mended.shell(&shown.command);
            let said = text(&output.stderr);
            assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
            ran += 1;
        }
    }
    assert_eq!(ran, 2);
}

#[test]
fn the_report_is_what_the_guide_explains() {
    let racy = Place::new(&[(MODULE, Source::Copy(RACY))]);
    let report = text(&racy.shell(&format!("grind run {MODULE}")).stderr);
    for said in ["(1) ", "(2) ", "holding no traced lock", "was created by"] {
        assert!(report.contains(said), "{said}: {report}");
    }
    // "The last line is the command that shows the same again."
    let last = report.lines().last().unwrap();
    let again = last.strip_prefix("reproduce: ").unwrap();
    assert_eq!(text(&racy.shell(again).stderr), report);
}

#[test]
fn the_guests_are_the_guides_programs_built_with_its_flags() {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let flags: String = (commands(GUIDE).into_iter())
        .map(|shown| shown.command)
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
        flat(&blocks(GUIDE, "rust,ignore").concat()).contains(&main),
        "{main}"
    );
}
