//! Runs every guest of `test-programs` over many seeds and compares with what its source says of it.
//!
//! `test-programs/README.md` explains the notation. A failure prints the report and the command that
//! shows it.

mod expect;
mod verdict;

use expect::Expectations;
use grind_runtime::host::{self, RunOptions};
use grind_runtime::machine::BufferIo;
use grind_runtime::program::Program;
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::{Report, human};
use grind_runtime::schedule::Strategy;
use libtest_mimic::{Arguments, Failed, Trial};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Random schedules of each guest. A finding that is unordered in every schedule has to show in each.
const SEEDS: u64 = 20;

/// Guests that the suite knows of at least; fewer means that they were not found.
const FEWEST: usize = 60;

fn main() {
    let arguments = Arguments::from_args();
    let guests = find();
    assert!(guests.len() >= FEWEST, "only {} guests found", guests.len());
    let trials = guests
        .into_iter()
        .map(|guest| Trial::test(guest.name.clone(), move || check(&guest)))
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

struct Guest {
    name: String,
    source: PathBuf,
    module: PathBuf,
}

fn find() -> Vec<Guest> {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    let list = |directory: &str, extension: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(programs.join(directory)).expect("the guests are there");
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
    let rust = list("src/bin", "rs").into_iter().map(|source| Guest {
        name: name(&source),
        module: programs
            .join("wasm")
            .join(name(&source))
            .with_extension("wasm"),
        source,
    });
    let text = list("wat", "wat").into_iter().map(|source| Guest {
        name: name(&source),
        module: source.clone(),
        source,
    });
    rust.chain(text).collect()
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
    let random = (0..SEEDS).map(|seed| (Strategy::Random, seed));
    let mut shown = 0;
    for (strategy, seed) in random.chain([(Strategy::RoundRobin, 0)]) {
        let options = RunOptions {
            args: expected.arguments(&guest.name),
            seed,
            strategy,
            ..RunOptions::default()
        };
        let outcome = host::run(&program, options.clone(), BufferIo::default())?;
        let report = outcome.report(&program, &symbolizer, &options);
        let problems = verdict::compare(guest.source.as_path(), &expected, &report, &outcome);
        shown += u64::from(!report.findings.is_empty());
        if !problems.is_empty() {
            return Err(failure(guest, &expected, &report, &problems.join("\n")));
        }
    }
    if expected.some_seeds && shown == 0 {
        return Err(format!("none of {SEEDS} seeds showed the finding").into());
    }
    Ok(())
}

fn failure(guest: &Guest, expected: &Expectations, report: &Report, problem: &str) -> Failed {
    let text = human::render(report, &human::Options::default());
    format!(
        "{problem}\n\n{text}\nreproduce: grind run --seed {} --scheduler {} {} {}",
        report.seed.unwrap_or_default(),
        report.scheduler.as_deref().unwrap_or_default(),
        guest.module.display(),
        expected.args.join(" ")
    )
    .into()
}
