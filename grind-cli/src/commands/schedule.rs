//! Schedules in files of their own: `--schedule` and `--save-schedule`.

use crate::input::stored;
use crate::output::error::{self, Unfit};
use crate::output::say::Shown as _;
use crate::process::whole_file::Place;
use anyhow::{Context, Result};
use grind_runtime::machine::MachineError;
use grind_runtime::model::{Decisions, Schedule};
use grind_runtime::program::Program;
use grind_runtime::trace::ScheduleFile;
use std::path::Path;

/// Reads the schedule of a program.
pub(crate) fn read(path: &Path, program: &Program) -> Result<Schedule> {
    let text = stored::read(path)?;
    let schedule = ScheduleFile::read(&text).and_then(|file| file.schedule(program));
    schedule.with_context(|| path.shown())
}

/// What to say of a run that failed, if the file is what was wrong: a schedule that something changed, or of other inputs.
pub(crate) fn explain(path: Option<&Path>, error: MachineError) -> anyhow::Error {
    match (path, &error) {
        (Some(path), MachineError::Scheduler { .. }) => Unfit(format!(
            "{}: it is no schedule of this run: {error}",
            path.shown()
        ))
        .into(),
        _ => error.into(),
    }
}

/// Where the schedule of a run will be written, none of the files that are read.
pub(crate) fn place(path: Option<&Path>, read: &[&Path]) -> Result<Option<Place>> {
    let Some(path) = path else { return Ok(None) };
    for input in read {
        error::keep(input, path)?;
    }
    let place = Place::find(path).with_context(|| format!("cannot write {}", path.shown()))?;
    Ok(Some(place))
}

/// Writes what was decided in a run.
pub(crate) fn save(place: Place, program: &Program, decisions: Option<&Decisions>) -> Result<()> {
    let text = "the run was too long for its schedule to be kept: record it with --trace";
    let decisions = decisions.ok_or_else(|| Unfit(text.to_owned()))?;
    let mut bytes = Vec::new();
    ScheduleFile::new(program, decisions.clone()).write(&mut bytes)?;
    Ok(place.write(&bytes)?)
}
