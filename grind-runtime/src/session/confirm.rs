//! Predict, then confirm: a run of the program that is led to what a trace predicts.
//!
//! **Confirms** a race if happens-before finds it in the run that was led there, at the same two instructions; a
//! deadlock if the run ends in one in which both acquires are stuck.
//!
//! **Misses** what depends on inputs that the run asks for in another order than the trace did, and what a run with
//! other waits inside locks does not reach. Nothing is called confirmed that was not executed.

use super::input::Queue;
use super::pass::{Pass, pass};
use super::plan_scheduler::PlanScheduler;
use super::record::{Recording, TraceOutput};
use super::replay::ReplayError;
use super::{RunOptions, TraceInput};
use crate::detect::{AnalysisOptions, Diagnosis, LiveAnalysis};
use crate::model::sites::SiteId;
use crate::model::{Control, Driven};
use crate::predict::translate::{Bounds, OfflineError, Plan, Plans, Predicted};
use crate::program::Program;
use crate::trace::{Entry, Header, TraceError, TraceReader, TraceWriter};
use std::io;
use std::sync::Arc;

/// Steps of a run that is led, as a multiple of those of a usual one; a run that spins ends there.
const STEPS: u64 = 2_000_000_000;

/// Why a prediction could not be tried.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfirmError {
    /// The trace could not be read again.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The program cannot be run as the trace says.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The confirming trace cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What came of trying predictions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmed {
    /// For each, whether a run showed it.
    pub happened: Vec<bool>,
    /// Those that were not tried: to know how would have taken too much memory, somebody asked to stop, or the run was driven.
    pub untried: usize,
}

/// Tries each prediction in a run of its own, and says which of them happened. `open` opens the trace; `record` gives,
/// for the index of a prediction, where its run is recorded, and is told afterwards whether to keep that.
///
/// # Errors
/// [`ConfirmError`].
pub fn confirm(
    program: &Program,
    mut open: impl FnMut() -> Result<TraceReader<TraceInput>, TraceError>,
    predicted: &[Predicted],
    bounds: &Bounds,
    mut record: impl FnMut(usize) -> io::Result<TraceOutput>,
    mut keep: impl FnMut(usize, bool) -> io::Result<()>,
) -> Result<Confirmed, ConfirmError> {
    let (header, inputs, random) = inputs(&mut open, bounds).map_err(ReplayError::from)?;
    if header.driven != Driven::ByNobody {
        // What the driver did has its place among other decisions than those of a plan.
        return Ok(Confirmed {
            happened: vec![false; predicted.len()],
            untried: predicted.len(),
        });
    }
    let plans = Plans::of(&mut open, predicted, bounds)?;
    let given_up = |one: &Predicted| plans.given_up.is_some_and(|at| one.events.1 >= at.into());
    let mut confirmed = Confirmed::default();
    for (index, predicted) in predicted.iter().enumerate() {
        let mut happened = false;
        let plans = plans.of_prediction(&mut open, (index, predicted), bounds)?;
        let stopped = bounds.control.stop_requested();
        confirmed.untried += usize::from(stopped || given_up(predicted));
        let plans = if stopped { Vec::new() } else { plans };
        for plan in plans {
            let writer = TraceWriter::create(record(index)?, &header, program.sites(), None)?;
            let io = Box::new(Queue::new(inputs.clone()));
            happened = led(
                program,
                &header,
                (plan, random.clone()),
                io,
                writer,
                &predicted.diagnosis,
                &bounds.control,
            )?;
            keep(index, happened)?;
            if happened {
                break;
            }
        }
        confirmed.happened.push(happened);
    }
    Ok(confirmed)
}

type Answers = Vec<Arc<[u8]>>;

/// What the host told the guest, in order.
fn inputs(
    open: &mut impl FnMut() -> Result<TraceReader<TraceInput>, TraceError>,
    bounds: &Bounds,
) -> Result<(Header, Answers, Vec<u64>), TraceError> {
    let mut reader = open()?;
    let (mut inputs, mut random) = (Vec::new(), Vec::new());
    while let Some(entry) = reader.next_entry()? {
        if bounds.control.stop_requested() {
            break;
        }
        match entry {
            Entry::Input(bytes) => inputs.push(bytes),
            Entry::Random(bits) => random.push(bits),
            _ => {}
        }
    }
    Ok((reader.header().clone(), inputs, random))
}

fn led(
    program: &Program,
    header: &Header,
    (plan, random): (Plan, Vec<u64>),
    io: Box<Queue>,
    writer: TraceWriter<TraceOutput>,
    wanted: &Diagnosis,
    control: &Arc<Control>,
) -> Result<bool, ConfirmError> {
    let mut options = RunOptions::from(header.spec.clone()).fuel(header.fuel);
    options.analysis = AnalysisOptions::default();
    options.spec.limits.steps = Some(options.spec.limits.steps.unwrap_or(STEPS).min(STEPS));
    let recording = Recording::new(writer);
    let led = PlanScheduler::new(
        plan,
        Arc::clone(program.sites()),
        header.spec.schedule.seed().unwrap_or_default(),
        random,
    );
    let passed = pass(
        program,
        &options,
        Pass {
            scheduler: Box::new(led.clone()),
            logged: false,
            analysis: LiveAnalysis::new(Arc::clone(program.sites()), options.analysis.clone()),
            others: vec![Box::new(led)],
            recording: Some(&recording),
            io,
            control: Arc::clone(control),
            driven: Driven::ByNobody,
        },
    )
    .map_err(ReplayError::from)?;
    let outcome = super::Outcome {
        decisions: None,
        profile: None,
        ending: passed.ending,
        analysis: passed.analysis.finish(),
        limits_reached: passed.limits_reached,
        stats: passed.stats,
        io: (),
        warnings: Vec::new(),
    };
    let happened = (outcome.analysis.diagnoses.iter()).any(|one| shows(&one.diagnosis, wanted));
    let findings = outcome.analysis.diagnoses.len();
    if let Some(writer) = recording.into_writer() {
        writer.finish(&outcome.footer(outcome.exit_code(), findings))?;
    }
    Ok(happened)
}

/// Whether what was found is what was looked for. Of a race, the stack of the earlier access is not known.
fn shows(found: &Diagnosis, wanted: &Diagnosis) -> bool {
    let place = |stack: &[SiteId]| stack.first().copied();
    match (found, wanted) {
        (
            Diagnosis::DataRace { first, second, .. },
            Diagnosis::DataRace {
                first: one,
                second: other,
                ..
            },
        ) => {
            let overlap =
                first.addr < second.addr + second.len && second.addr < first.addr + first.len;
            let places = [place(&one.stack), place(&other.stack)];
            let threads = [one.thread, other.thread];
            overlap
                && places.contains(&place(&second.stack))
                && threads.contains(&first.thread)
                && threads.contains(&second.thread)
        }
        (Diagnosis::Deadlock { blocked, .. }, Diagnosis::LockOrderInversion { edges }) => {
            edges.iter().all(|edge| {
                let stuck = blocked.iter().find(|one| one.thread == edge.thread);
                stuck.is_some_and(|one| one.locks.iter().any(|held| held.lock == edge.held.lock))
            })
        }
        _ => false,
    }
}
