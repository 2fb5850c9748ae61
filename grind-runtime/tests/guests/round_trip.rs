//! Every run is recorded, and its trace run again: it has to be the same run. Of a guest in which there is nothing to find,
//! its trace predicts nothing, either.
//!
//! **Live detection against offline `hb`**, on each full trace: every race that the one finds the other finds, and in a run
//! without races, `hb` finds none. Compared is the later access of a race ([`agree`]). Not compared is with which earlier access it
//! races, for there can be several and each names one of them, how often, and traces without accesses.

#[path = "../support/recording.rs"]
mod recording;

use grind_runtime::detect::{Access, Diagnosed, Diagnosis, Misuse};
use grind_runtime::machine::{BufferIo, NullIo};
use grind_runtime::model::sites::SiteId;
use grind_runtime::model::{Schedule, ThreadId};
use grind_runtime::predict::translate::{self, Analysis, Bounds, Predicted};
use grind_runtime::program::Program;
use grind_runtime::session::{self, Outcome, ReplayOptions, RunOptions};
use grind_runtime::trace::Detail;
use libtest_mimic::Failed;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Runs the program while it is recorded, and its trace. Seeds take turns in how much is recorded.
pub(crate) fn run(
    program: &Program,
    options: &RunOptions,
    correct: bool,
) -> Result<Outcome<BufferIo>, Failed> {
    let seed = options.spec.schedule.seed().unwrap_or_default();
    let detail = [Detail::Light, Detail::Full][(seed % 2) as usize];
    let recorded = recording::record(program, options, detail);
    let (outcome, bytes) = recorded.map_err(|error| error.to_string())?;
    let replay_options = ReplayOptions::default().analysis(options.analysis.clone());
    let open = || recording::open(&bytes);
    let replayed = session::replay(program, open, replay_options, Box::new(NullIo))?;
    if replayed.truncated {
        return Err("the trace is truncated".into());
    }
    let again = replayed.outcome;
    if outcome.analysis != again.analysis {
        return Err("the replay found something else".into());
    }
    if outcome.ending != again.ending {
        return Err(format!("ended as {:?}, not {:?}", again.ending, outcome.ending).into());
    }
    is_observed(&bytes, &outcome, detail)?;
    if seed.is_multiple_of(10) {
        is_its_decisions(program, options, &outcome, &again)?;
    }
    if correct {
        predicts_nothing(&bytes, detail)?;
    }
    Ok(outcome)
}

/// The run's decisions as a schedule are the same run, and those of its replay are the same decisions.
fn is_its_decisions(
    program: &Program,
    options: &RunOptions,
    outcome: &Outcome<BufferIo>,
    replayed: &Outcome<NullIo>,
) -> Result<(), Failed> {
    if replayed.decisions != outcome.decisions {
        return Err("the replay decided something else".into());
    }
    let decisions = outcome.decisions.clone().ok_or("no decisions")?;
    let mut options = options.clone();
    options.spec.schedule = Schedule::Decisions(decisions.clone());
    let again = session::run(program, options, BufferIo::default())?;
    match again.decisions == Some(decisions)
        && again.stats == outcome.stats
        && again.analysis == outcome.analysis
    {
        true => Ok(()),
        false => Err("the run's decisions are another run".into()),
    }
}

/// What live detection said of the run is what is said of its trace, if it has accesses, and what happens-before says of it.
fn is_observed(trace: &[u8], outcome: &Outcome<BufferIo>, detail: Detail) -> Result<(), Failed> {
    if detail == Detail::Light {
        return Ok(());
    }
    let go_on = |_| ControlFlow::Continue(());
    let open = || recording::open(trace);
    let mut observed = translate::observe(open, &Bounds::default(), go_on)?;
    if observed.analysis != outcome.analysis {
        let (said, of_run) = (&observed.analysis, &outcome.analysis);
        return Err(format!("the trace says {said:#?} of a run with {of_run:#?}").into());
    }
    let wanted = [Analysis::Hb];
    let mut analyzed = translate::analyze(open, &wanted, &Bounds::default(), go_on)?;
    agree(&outcome.analysis.diagnoses, &analyzed.predicted)?;
    // What is observed is predicted no more.
    observed.claim(&mut analyzed);
    let pairs = |diagnoses: &mut dyn Iterator<Item = &Diagnosis>| -> BTreeSet<_> {
        diagnoses.filter_map(places).collect()
    };
    let observed = pairs(&mut observed.analysis.diagnoses.iter().map(|one| &one.diagnosis));
    let predicted = pairs(&mut analyzed.predicted.iter().map(|one| &one.diagnosis));
    match observed.intersection(&predicted).next() {
        None => Ok(()),
        Some(pair) => Err(format!("{pair:?} is observed and predicted").into()),
    }
}

/// Whether live detection and `hb` find the same races.
///
/// **Compared** is the later access of each: its instruction, its thread, and whether it writes. All that one finds the other
/// has to find, with two exceptions, for live detection says some things once:
/// - an access that repeats one of the same thread, which races, is no further race;
/// - the destruction of an object that a thread waits at is told as that, and as no race.
fn agree(live: &[Diagnosed], offline: &[Predicted]) -> Result<(), Failed> {
    let of_live: BTreeSet<_> = (live.iter())
        .filter_map(|one| later(&one.diagnosis))
        .collect();
    let of_hb: BTreeSet<_> = (offline.iter())
        .filter_map(|one| later(&one.diagnosis))
        .collect();
    if let Some(race) = of_live.difference(&of_hb).next() {
        return Err(format!("hb misses a race of {race:?}, it finds those of {of_hb:?}").into());
    }
    let told = |found: &Access| {
        live.iter().any(|one| match &one.diagnosis {
            Diagnosis::DataRace { second, .. } => {
                second.thread == found.thread
                    && second.addr < found.addr + found.len
                    && found.addr < second.addr + second.len
            }
            Diagnosis::LockMisuse {
                misuse: Misuse::DestroyInUse,
                stack,
                ..
            } => stack.first() == found.stack.first(),
            _ => false,
        })
    };
    for one in offline {
        if let Diagnosis::DataRace { second, .. } = &one.diagnosis
            && !later(&one.diagnosis).is_some_and(|race| of_live.contains(&race))
            && !told(second)
        {
            return Err(format!("live detection misses {one:?}, it finds {of_live:?}").into());
        }
    }
    Ok(())
}

/// The two instructions of a race.
fn places(diagnosis: &Diagnosis) -> Option<BTreeSet<Option<SiteId>>> {
    let Diagnosis::DataRace { first, second, .. } = diagnosis else {
        return None;
    };
    Some(
        [first, second]
            .map(|access| access.stack.first().copied())
            .into(),
    )
}

/// The later access of a race: its instruction, who makes it, and whether it writes.
fn later(diagnosis: &Diagnosis) -> Option<(Option<SiteId>, ThreadId, bool)> {
    let Diagnosis::DataRace { second, .. } = diagnosis else {
        return None;
    };
    Some((second.stack.first().copied(), second.thread, second.write))
}

fn predicts_nothing(trace: &[u8], detail: Detail) -> Result<(), Failed> {
    let wanted: Vec<Analysis> = (Analysis::ALL.into_iter())
        .filter(|one| one.is_sound() && (detail == Detail::Full || *one == Analysis::Deadlock))
        .collect();
    let go_on = |_| ControlFlow::Continue(());
    let analyzed = translate::analyze(
        || recording::open(trace),
        &wanted,
        &Bounds::default(),
        go_on,
    )?;
    match analyzed.predicted.first() {
        None => Ok(()),
        Some(predicted) => Err(format!("the trace predicts {predicted:?}").into()),
    }
}
