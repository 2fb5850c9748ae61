//! Runs subjects, and counts schedules.

use crate::table::Row;
use grind_runtime::explore::Rotation;
use grind_runtime::session::{self, Outcome, RunOptions};
use grind_runtime::{
    Diagnosis, Entry, Explorer, FindingKind, Limits, NullIo, Program, RunFeedback, RunSpec,
    Schedule, Symbolizer,
};
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// One for all runs, for it keeps what the engine made of the module.
pub(crate) static PROGRAM: LazyLock<Program> = LazyLock::new(|| {
    let path = "../test-programs/wasm/subjects/subjects.wasm";
    let wasm = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    Program::new(&wasm.expect("the module is there")).expect("the module is one of ours")
});

static SYMBOLIZER: LazyLock<Symbolizer> =
    LazyLock::new(|| Symbolizer::new(Arc::clone(PROGRAM.original())));

/// A run that was made.
pub(crate) struct Run {
    pub(crate) outcome: Outcome<NullIo>,
    options: RunOptions,
}

/// Wasm instructions of a run: what a bug leaves behind may make others spin for ever.
const STEPS: u64 = 2_000_000;

/// A run of the subject of a row, or of its twin.
pub(crate) fn spec(row: &Row, fixed: bool, schedule: Schedule) -> RunSpec {
    let suffix = if fixed { "_fixed" } else { "" };
    let entry = Entry::default().function(Some(format!("{}{suffix}", row.entry)));
    let size = row.size.map(|size| size.to_string().into_bytes());
    RunSpec::default()
        .args([b"subjects".to_vec()].into_iter().chain(size).collect())
        .entry(entry)
        .schedule(schedule)
        .limits(Limits::default().steps(Some(STEPS)))
}

/// Makes it.
pub(crate) fn run(row: &Row, fixed: bool, schedule: Schedule) -> Run {
    let options = RunOptions::from(spec(row, fixed, schedule)).profile(true);
    let outcome = session::run(&PROGRAM, options.clone(), NullIo).expect("the entry is there");
    Run { outcome, options }
}

/// What a run shows.
pub(crate) fn kinds(run: &Run) -> Vec<FindingKind> {
    let analysis = &run.outcome.analysis;
    let only_orders = (analysis.diagnoses.iter())
        .all(|one| matches!(one.diagnosis, Diagnosis::LockOrderInversion { .. }));
    // A report costs more than a run, and most runs show nothing; but whether a deadlock is a lost wake-up, only reports say.
    if analysis.traps.is_empty() && only_orders {
        return vec![FindingKind::LockOrderInversion; analysis.diagnoses.len()];
    }
    let report = run.outcome.report(&PROGRAM, &SYMBOLIZER, &run.options);
    report.findings.iter().map(|finding| finding.kind).collect()
}

/// By how many schedules of an explorer the bug of a subject shows, the one that shows it included. `None` if it does in none of them.
pub(crate) fn first_bug(row: &Row, explorer: &mut dyn Explorer) -> Option<u64> {
    let mut number = 0;
    while let Some(schedule) = explorer.next() {
        number += 1;
        let run = run(row, false, schedule.clone());
        if kinds(&run).contains(&row.kind) {
            return Some(number);
        }
        explorer.learn(&feedback(schedule, run));
    }
    None
}

pub(crate) fn feedback(schedule: Schedule, run: Run) -> RunFeedback {
    RunFeedback {
        schedule,
        ending: run.outcome.ending,
        findings: run.outcome.analysis.diagnoses.len(),
        profile: run.outcome.profile,
    }
}

/// So many schedules of these strategies in turns, from this seed on: `pos`, `rff+surw`, or `usual`.
///
/// # Panics
/// If there is no such strategy.
pub(crate) fn rotation(strategies: &str, seed: u64, count: u64) -> Rotation {
    let of = |name: &str| name.parse().expect("there is such a strategy");
    let turns = match strategies {
        "usual" => Vec::new(),
        names => names.split('+').map(of).collect(),
    };
    let seeds = format!("{seed}..{}", seed + count).parse();
    Rotation::of(turns, seeds.expect("a range"))
}
