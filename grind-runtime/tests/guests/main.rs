//! Runs every guest of `test-programs` over many seeds and compares with what its source says of it.
//!
//! `test-programs/README.md` explains the notation. A failure prints the report and the command that
//! shows it.

mod expect;
mod round_trip;
mod verdict;

use expect::{Expectations, is_correct};
use grind_runtime::machine::BufferIo;
use grind_runtime::model::{Limits, RunSpec, Schedule};
use grind_runtime::program::Program;
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::{Report, human};
use grind_runtime::session::{self, RunOptions};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Random schedules of each guest. A finding that is unordered in every schedule has to show in each.
const SEEDS: u64 = 20;

/// Random schedules of each guest in whose program and libraries there is nothing to find, though they know
/// nothing of grind. A report on one of these is false.
const SEEDS_WITHOUT_REPORT: u64 = 200;

/// Where sources are, how their names end, where their modules are, and whether they are made for grind.
const BUILT: &[(&str, &str, &str, bool)] = &[
    ("src/bin", "rs", "wasm", true),
    ("wasip1-threads/src/bin", "rs", "wasip1-threads/wasm", false),
    ("c/src", "c", "c/wasm", false),
    ("zig/src", "zig", "zig/wasm", false),
];

/// Guests that the suite knows of at least; fewer means that they were not found.
const FEWEST: usize = 150;

fn main() {
    let arguments = Arguments::from_args();
    let guests = find();
    assert!(guests.len() >= FEWEST, "only {} guests found", guests.len());
    let trials = guests
        .into_iter()
        .map(|guest| Trial::test(guest.label.clone(), move || check(&guest)))
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

struct Guest {
    name: String,
    /// Its name, with the directory of modules that are not made for grind.
    label: String,
    source: PathBuf,
    module: PathBuf,
    seeds: u64,
}

fn find() -> Vec<Guest> {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    let root = programs.as_path();
    let list = |directory: &str, extension: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(root.join(directory)).expect("the guests are there");
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("the guests can be listed").path())
            .filter(|path| path.extension().is_some_and(|found| found == extension))
            .collect();
        paths.sort();
        paths
    };
    let name = |path: &Path| {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let built = BUILT
        .iter()
        .flat_map(|&(sources, extension, modules, own)| {
            let directory = modules.trim_end_matches("wasm");
            let guest = move |source: PathBuf| Guest {
                name: name(&source),
                label: format!("{directory}{}", name(&source)),
                module: root
                    .join(modules)
                    .join(name(&source))
                    .with_extension("wasm"),
                seeds: if !own && is_correct(&name(&source)) {
                    SEEDS_WITHOUT_REPORT
                } else {
                    SEEDS
                },
                source,
            };
            list(sources, extension).into_iter().map(guest)
        });
    let text = list("wat", "wat").into_iter().map(|source| Guest {
        name: name(&source),
        label: name(&source),
        module: source.clone(),
        seeds: SEEDS,
        source,
    });
    built.chain(text).collect()
}

fn load(guest: &Guest) -> Result<Program, Failed> {
    let bytes = fs::read(&guest.module)?;
    let wasm = match guest.module.extension() {
        Some(extension) if extension == "wat" => wat::Parser::new()
            .generate_dwarf(wat::GenerateDwarf::Lines)
            .parse_bytes(Some(&guest.module), &bytes)?
            .into_owned(),
        _ => bytes,
    };
    Ok(Program::new(&wasm)?)
}

fn check(guest: &Guest) -> Result<(), Failed> {
    let expected = Expectations::read(&guest.name, &fs::read_to_string(&guest.source)?)?;
    let program = load(guest)?;
    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    let random = (0..guest.seeds).map(Schedule::from);
    let turns = Schedule::Strategy {
        strategy: "round-robin".parse()?,
        seed: 0,
    };
    let mut shown = BTreeSet::new();
    for schedule in random.chain([turns]) {
        let options = RunOptions::from(
            RunSpec::default()
                .args(expected.arguments(&guest.name))
                .schedule(schedule.clone())
                .limits(Limits::default().steps(expected.steps)),
        );
        let outcome = if schedule.seed() < Some(SEEDS) {
            round_trip::run(&program, &options, is_correct(&guest.name))?
        } else {
            session::run(&program, options.clone(), BufferIo::default())?
        };
        let report = outcome.report(&program, &symbolizer, &options);
        let (problems, seen) =
            verdict::compare(guest.source.as_path(), &expected, &report, &outcome);
        shown.extend(seen);
        if !problems.is_empty() {
            return Err(failure(guest, &expected, &report, &problems.join("\n")));
        }
    }
    match (expected.findings.keys()).find(|finding| !shown.contains(finding)) {
        Some((kind, number)) => Err(format!(
            "none of {} seeds showed {}({number})",
            guest.seeds,
            kind.name()
        )
        .into()),
        None => Ok(()),
    }
}

fn failure(guest: &Guest, expected: &Expectations, report: &Report, problem: &str) -> Failed {
    let text = human::render(report, &human::Options::default());
    format!(
        "{problem}\n\n{text}\nunder {}: {} {}",
        report
            .schedule
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        guest.module.display(),
        expected.args.join(" ")
    )
    .into()
}
