//! Every run is recorded, and its trace run again: it has to be the same run. Of a guest in which there is nothing to find,
//! its trace predicts nothing, either.

#[path = "../support/recording.rs"]
mod recording;

use grind_runtime::host::{self, Outcome, ReplayOptions, RunOptions};
use grind_runtime::machine::{BufferIo, NullIo};
use grind_runtime::offline::{self, Analysis};
use grind_runtime::program::Program;
use grind_runtime::trace::file::Detail;
use libtest_mimic::Failed;
use std::ops::ControlFlow;

/// Runs the program while it is recorded, and its trace. Seeds take turns in how much is recorded.
pub(crate) fn run(
    program: &Program,
    options: &RunOptions,
    correct: bool,
) -> Result<Outcome<BufferIo>, Failed> {
    let detail = [Detail::Light, Detail::Full][options.seed as usize % 2];
    let recorded = recording::record(program, options, detail);
    let (outcome, bytes) = recorded.map_err(|error| error.to_string())?;
    let replay_options = ReplayOptions {
        analysis: options.analysis.clone(),
        ..ReplayOptions::default()
    };
    let open = || recording::open(&bytes);
    let replayed = host::replay(program, open, replay_options, Box::new(NullIo))?;
    if replayed.cut {
        return Err("the trace is cut".into());
    }
    let again = replayed.outcome;
    if outcome.analysis != again.analysis {
        return Err("the replay found something else".into());
    }
    if outcome.ending != again.ending {
        return Err(format!("ended as {:?}, not {:?}", again.ending, outcome.ending).into());
    }
    if correct {
        predicts_nothing(&bytes, detail)?;
    }
    Ok(outcome)
}

fn predicts_nothing(trace: &[u8], detail: Detail) -> Result<(), Failed> {
    let wanted: Vec<Analysis> = (Analysis::ALL.into_iter())
        .filter(|one| one.is_sound() && (detail == Detail::Full || *one == Analysis::Deadlock))
        .collect();
    let go_on = |_| ControlFlow::Continue(());
    let analyzed = offline::analyze(|| recording::open(trace), &wanted, go_on)?;
    match analyzed.predicted.first() {
        None => Ok(()),
        Some(predicted) => Err(format!("the trace predicts {predicted:?}").into()),
    }
}
