//! What the recorded run showed: live detection, given the trace instead of the run.
//!
//! The trace has every event and, if it is a full one, every access and call, in the order of the run; so the detectors say of it
//! what they say of the run, and its deadlock, its traps and its misused memory are in the answer. A trace of a run without
//! detection gets what detection would have found.
//!
//! **Misses**, in a trace without accesses, whatever needs them: the stacks of events are known, plain accesses are not. Of a
//! guest that called `exit(0)` while it had findings it is not known that it ended well, so that what it should have done by
//! then is not asked.
//!
//! **Cost**: one reading, two if the run raced; memory as a run with detection, up to the bound, where it stops.

use crate::detect::{AnalysisOptions, AnalysisOutcome, Diagnosis, Limits, LiveAnalysis, Stack};
use crate::model::sites::SiteId;
use crate::model::{Ending, Event, EventKind, EventSink, Flow, ThreadEnd, ThreadId};
use crate::predict::translate::analyses::{Analysis, Analyzed, Bounds, OfflineError, Progress};
use crate::trace::{Detail, Entry, TraceEnd, TraceError, TraceReader};
use std::collections::BTreeSet;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What the run of a trace showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// As of a run.
    pub analysis: AnalysisOutcome,
    /// How the run ended, as far as the trace tells.
    pub ending: Option<Ending>,
    /// For each of the diagnoses, the analyses that say the same ([`Observed::claim`]).
    pub predicted_by: Vec<Vec<Analysis>>,
    /// It was looked at up to this event only: it was stopped, or took too much memory.
    pub until: Option<u64>,
    /// The trace is truncated.
    pub truncated: bool,
}

/// Words of records that are looked at between two questions whether to go on, about; a run has as many in its ring.
const WORDS: usize = 8192;

/// Says what live detection finds in the run of a trace that `open` opens, once or twice. `progress` is asked now and then whether
/// to go on; its reading is 0.
///
/// # Errors
/// [`OfflineError`].
pub fn observe<R: Read>(
    mut open: impl FnMut() -> Result<TraceReader<R>, TraceError>,
    bounds: &Bounds,
    mut progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Observed, OfflineError> {
    let reader = open()?;
    let mut limits = Limits::default();
    if let Some(memory) = bounds.memory {
        let most = usize::try_from(memory / 4).unwrap_or(usize::MAX);
        limits.shared_bytes = limits.shared_bytes.min(most);
    }
    let options = AnalysisOptions {
        limits,
        ..AnalysisOptions::default()
    };
    let mut analysis = LiveAnalysis::new(Arc::clone(reader.sites()), options);
    let run = follow(reader, &mut analysis, bounds, &mut progress)?;
    let footer_is_clean =
        matches!(&run.end, Some(TraceEnd::Complete(footer)) if footer.exit_code == 0);
    if run.until.is_none() && (run.ending == Some(Ending::Returned) || footer_is_clean) {
        analysis.end_normally();
    }
    let mut until = run.until;
    if analysis.needs_second_pass() && until.is_none() {
        analysis = analysis.into_second_pass();
        until = follow(open()?, &mut analysis, bounds, &mut progress)?.until;
    }
    let analysis = analysis.finish();
    let ending = match run.ending {
        Some(Ending::Deadlock) => Some(Ending::Deadlock),
        _ if !analysis.traps.is_empty() => Some(Ending::Trapped),
        other => other,
    };
    Ok(Observed {
        predicted_by: vec![Vec::new(); analysis.diagnoses.len()],
        ending,
        until,
        truncated: run.end == Some(TraceEnd::Truncated),
        analysis,
    })
}

/// What a reading tells besides what was analysed.
#[derive(Default)]
struct Run {
    ending: Option<Ending>,
    end: Option<TraceEnd>,
    until: Option<u64>,
}

/// Gives all of a trace to `analysis`, or as much as it wants.
fn follow<R: Read>(
    mut reader: TraceReader<R>,
    analysis: &mut LiveAnalysis,
    bounds: &Bounds,
    progress: &mut impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Run, OfflineError> {
    let light = reader.header().detail == Detail::Light;
    if !light {
        // The analysis follows them.
        reader.ignore_calls();
    }
    let mut run = Run::default();
    let mut events = 0;
    let mut words = 0;
    while reader.advance()? {
        let flow = match reader.entry() {
            Entry::Records(thread) => {
                let mut flow = Flow::Continue;
                // One entry can stand for far more than a ring has.
                for piece in reader.records().pieces(WORDS) {
                    words += piece.words().len();
                    if bounds.is_over(analysis.bytes()) || bounds.control.stop_requested() {
                        run.until = Some(events);
                        return Ok(run);
                    }
                    flow = analysis.records(*thread, piece);
                }
                flow
            }
            Entry::Event(event) => {
                events += 1;
                words += 1;
                run.event(event);
                if light {
                    analysis.place(event.thread, &reader.stack(event.thread));
                }
                analysis.event(event)
            }
            _ => Flow::Continue,
        };
        if flow == Flow::Halt {
            return Ok(run);
        }
        if words >= WORDS {
            words = 0;
            let position = reader.position();
            let now = Progress {
                reading: 0,
                position,
                events,
            };
            let stopped = bounds.control.stop_requested() || progress(now).is_break();
            if stopped || bounds.is_over(analysis.bytes()) {
                run.until = Some(events);
                return Ok(run);
            }
        }
    }
    run.end = reader.end().cloned();
    Ok(run)
}

impl Run {
    fn event(&mut self, event: &Event) {
        self.ending = match &event.kind {
            EventKind::Deadlock { .. } => Some(Ending::Deadlock),
            EventKind::Stop { .. } => Some(Ending::TimedOut),
            EventKind::ThreadExit(ThreadEnd::Returned) if event.thread == ThreadId(0) => {
                Some(Ending::Returned)
            }
            _ => return,
        };
    }
}

impl Observed {
    /// Takes from the predictions what the run showed anyway, and notes who predicted it: a race at the same two instructions, or
    /// locks that are taken at the same.
    pub fn claim(&mut self, analyzed: &mut Analyzed) {
        let shown: Vec<_> = (self.analysis.diagnoses.iter())
            .map(|one| places(&one.diagnosis))
            .collect();
        analyzed.predicted.retain(|predicted| {
            let place = places(&predicted.diagnosis);
            let mut claimed = false;
            for (by, _) in (self.predicted_by.iter_mut().zip(&shown))
                .filter(|(_, shown)| place.is_some() && **shown == place)
            {
                claimed = true;
                let new = predicted.analyses.iter().filter(|one| !by.contains(one));
                let new: Vec<Analysis> = new.copied().collect();
                by.extend(new);
                by.sort_unstable_by_key(|one| Analysis::ALL.iter().position(|known| known == one));
            }
            !claimed
        });
    }
}

/// What a finding is about and where: two of one kind with the same are the same.
fn places(diagnosis: &Diagnosis) -> Option<(&'static str, BTreeSet<SiteId>)> {
    let sites = |stacks: Vec<&Stack>| -> Option<BTreeSet<SiteId>> {
        stacks
            .into_iter()
            .map(|stack| stack.first().copied())
            .collect()
    };
    match diagnosis {
        Diagnosis::DataRace { first, second, .. } => {
            Some(("race", sites(vec![&first.stack, &second.stack])?))
        }
        Diagnosis::LockOrderInversion { edges } => {
            let taken = edges.iter().map(|edge| &edge.taken.stack);
            Some(("order", sites(taken.collect())?))
        }
        _ => None,
    }
}
