//! Every run is recorded, and its trace run again: it has to be the same run.

#[path = "../support/recording.rs"]
mod recording;

use grind_runtime::host::{self, Outcome, ReplayOptions, RunOptions};
use grind_runtime::machine::{BufferIo, NullIo};
use grind_runtime::program::Program;
use grind_runtime::trace::file::Detail;
use libtest_mimic::Failed;

/// Runs the program while it is recorded, and its trace. Seeds take turns in how much is recorded.
pub(crate) fn run(program: &Program, options: &RunOptions) -> Result<Outcome<BufferIo>, Failed> {
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
    Ok(outcome)
}
