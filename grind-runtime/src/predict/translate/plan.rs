//! Schedules that lead a run to what was predicted: who makes how many visible steps, one after the other.

use crate::model::ThreadId;
use crate::predict::algorithms::witness::{Witness, witnesses};
use crate::predict::translate::analyses::{Bounds, OfflineError, Predicted};
use crate::predict::translate::locks::Locks;
use crate::predict::translate::shape::Shape;
use crate::predict::translate::source::SyncSource;
use crate::predict::translate::visible::{Step, Visible};
use crate::trace::{Detail, TraceError, TraceReader};
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Stretches of a plan at most; a prediction that needs more stays one.
const MOST: usize = 1 << 20;

/// Who runs until when.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Each thread in turn runs until it has made so many visible steps.
    pub(crate) stretches: Vec<(ThreadId, u64)>,
    /// Whether plain accesses are steps.
    pub(crate) accesses: bool,
    /// Of the steps that it counts.
    pub(crate) locks: Arc<Locks>,
}

/// Makes plans for predictions of one trace, one after the other: a plan can be long.
pub(crate) struct Plans {
    shape: Arc<Shape>,
    accesses: bool,
    witnesses: Vec<Option<Witness>>,
    /// The search for witnesses was given up, at this event.
    pub(crate) given_up: Option<u32>,
}

impl Plans {
    /// Reads the trace for what the predictions need. What comes later in it than `bounds` allows has no plan.
    pub(crate) fn of<R: Read>(
        mut open: impl FnMut() -> Result<TraceReader<R>, TraceError>,
        predicted: &[Predicted],
        bounds: &Bounds,
    ) -> Result<Plans, OfflineError> {
        let reader = open()?;
        let accesses = reader.header().detail == Detail::Full;
        let first = |_| match bounds.control.stop_requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let shape = Shape::within(Visible::learning(reader), bounds.memory, first)?;
        let Ok(shape) = shape else {
            return Ok(Plans {
                shape: Arc::default(),
                accesses,
                witnesses: vec![None; predicted.len()],
                given_up: Some(0),
            });
        };
        let shape = Arc::new(shape);
        let pairs: Vec<(u32, u32)> = (predicted.iter())
            .map(|one| (one.events.0 as u32, one.events.1 as u32))
            .collect();
        let source = SyncSource::new(open()?, Arc::clone(&shape), false);
        let memory = (bounds.memory).map(|most| most.saturating_sub(shape.bytes()));
        let (witnesses, given_up) = witnesses(source, &pairs, memory, &bounds.stop())?;
        Ok(Plans {
            shape,
            accesses,
            witnesses,
            given_up,
        })
    }

    /// Plans that may lead to the prediction with this index, the likelier first.
    pub(crate) fn of_prediction<R: Read>(
        &self,
        open: &mut impl FnMut() -> Result<TraceReader<R>, TraceError>,
        (index, predicted): (usize, &Predicted),
        bounds: &Bounds,
    ) -> Result<Vec<Plan>, OfflineError> {
        let Some(witness) = self.witnesses.get(index).and_then(Option::as_ref) else {
            return Ok(Vec::new());
        };
        let source = SyncSource::new(open()?, Arc::clone(&self.shape), false);
        let last = predicted.events.1 as u32;
        let how = (self.accesses, self.shape.locks());
        plan(source, witness, last, how, bounds)
    }
}

/// What one thread does of a plan.
#[derive(Clone, Debug, Default)]
struct Part {
    /// Events of the analyses, and visible steps.
    events: u32,
    steps: u64,
    /// Locks it holds, each with the steps before it was taken.
    held: Vec<(u32, u64)>,
}

fn plan<R: Read>(
    mut source: SyncSource<R>,
    witness: &Witness,
    last: u32,
    (accesses, locks): (bool, &Arc<Locks>),
    bounds: &Bounds,
) -> Result<Vec<Plan>, OfflineError> {
    let mut parts: Vec<Part> = Vec::new();
    let mut stretches: Vec<(ThreadId, u64)> = Vec::new();
    let mut number = 0;
    while number < u64::from(last) && stretches.len() < MOST {
        let went = source.advance(|at, step, first, count| {
            number = first + count - 1;
            let index = at.thread.0 as usize;
            if index >= parts.len() {
                parts.resize_with(index + 1, Part::default);
            }
            let part = &mut parts[index];
            let limit = witness.events.get(index).copied().unwrap_or(0);
            if part.events + count as u32 > limit {
                // Whatever follows is not part of it.
                part.events = limit + 1;
                return;
            }
            part.events += count as u32;
            part.steps += 1;
            match *step {
                Step::Acquire { lock, .. } => part.held.push((lock, part.steps - 1)),
                Step::Release { lock, .. } => part.held.retain(|&(held, _)| held != lock),
                _ => {}
            }
            match stretches.last_mut() {
                Some((thread, until)) if *thread == at.thread => *until = part.steps,
                _ => stretches.push((at.thread, part.steps)),
            }
        })?;
        source.skip();
        if bounds.control.stop_requested() {
            return Ok(Vec::new());
        }
        if !went {
            break;
        }
    }
    if stretches.len() >= MOST {
        return Ok(Vec::new());
    }
    let in_order = Plan {
        stretches,
        accesses,
        locks: Arc::clone(locks),
    };
    // Sections that stay open come last, so that others can have the lock before.
    let open = |thread: ThreadId| {
        parts[thread.0 as usize]
            .held
            .first()
            .map(|&(_, steps)| steps)
    };
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for &(thread, until) in &in_order.stretches {
        match open(thread).filter(|&from| until > from) {
            Some(from) => {
                early.push((thread, from));
                late.push((thread, until));
            }
            None => early.push((thread, until)),
        }
    }
    early.extend(late);
    let sections_last = Plan {
        stretches: early,
        ..in_order.clone()
    };
    Ok(match sections_last.stretches == in_order.stretches {
        true => vec![in_order],
        false => vec![in_order, sections_last],
    })
}
