//! The analysis of a run while it runs, or of a trace while it is read.
//!
//! It takes two passes over the same stream. The first detects; for the earlier access of a race it knows the
//! thread, the epoch and the bytes, but no stack, since keeping one per access would cost more than
//! everything else together. The second ([`LiveAnalysis::into_second_pass`]) is given the same
//! stream once more, from a re-execution or from a file, and takes the stacks where they occur.
//!
//! ```text
//! let mut analysis = LiveAnalysis::new(sites, options);
//! run(&mut analysis);
//! if analysis.needs_second_pass() {
//!     analysis = analysis.into_second_pass();
//!     run(&mut analysis);            // the same schedule, the same inputs
//! }
//! let outcome = analysis.finish();
//! ```

use crate::detect::common::context::Contexts;
use crate::detect::common::detector::{At, Detector, End, Results};
use crate::detect::common::diagnosis::{
    Diagnosed, Diagnosis, HeldLock, Misuse, Note, Stack, ThreadInfo, TrappedThread,
};
use crate::detect::common::limits::{LimitNotice, Limits};
use crate::detect::locks::deadlock;
use crate::detect::locks::lock_misuse::LockMisuse;
use crate::detect::locks::notifications::Notifications;
use crate::detect::locks::sync_objects::{Broken, SyncObjects};
use crate::detect::memory::stack_overflow::StackOverflow;
use crate::detect::races::candidates::unify;
use crate::detect::races::drain::{Cursor, follow};
use crate::detect::races::happens_before::HappensBefore;
use crate::detect::races::second_pass::SecondPass;
use crate::detect::table::DETECTORS;
use crate::detect::threads::traps;
use crate::detect::threads::traps::Traps;
use crate::model::sites::{SiteId, SiteTable};
use crate::model::{Event, EventKind, EventSink, Flow, ObjectAct, Records, ThreadEnd, ThreadId};
use derive_setters::Setters;
use std::sync::Arc;

/// Which race detection to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Detect {
    /// Data races by happens-before, and everything else.
    #[default]
    HappensBefore,
    /// No data races. Deadlocks, lock orders, lock misuse and call stacks only, at the cost of a push and a pop
    /// per call.
    None,
}

/// What to analyse and how far to go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Setters)]
#[non_exhaustive]
pub struct AnalysisOptions {
    /// Race detection.
    pub detect: Detect,
    /// End the run at the first finding.
    pub halt_on_error: bool,
    /// Bounds of the tables.
    pub limits: Limits,
}

/// How much was analysed. All counts are of the first pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnalysisStats {
    /// Records delivered.
    pub records: u64,
    /// Events delivered.
    pub events: u64,
    /// Accesses that were not a repetition within their epoch.
    pub checked: u64,
    /// Shadow memory in use at the end, in bytes; pages that were never touched count as well.
    pub shadow_bytes: u64,
    /// Granules of 8 bytes that need more than one write and one read, at the end.
    pub shared_granules: u64,
    /// Earlier accesses of races that the second pass did not find: 0, or a defect of grind (or the second
    /// stream was another one).
    pub unresolved: u64,
}

/// What an analysis has to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnalysisOutcome {
    /// Findings, in order of first occurrence, each once.
    pub diagnoses: Vec<Diagnosed>,
    /// Every thread of the run, by id.
    pub threads: Vec<ThreadInfo>,
    /// Threads that trapped, in that order; the first 1000.
    pub traps: Vec<TrappedThread>,
    /// Tables that were full.
    pub limits: Vec<LimitNotice>,
    /// Stacks that were too small, which explains other findings.
    pub overflows: Vec<StackOverflow>,
    /// Threads that somebody had to join or detach, and that had not ended when the main thread did.
    pub running: Vec<ThreadId>,
    /// How much was analysed.
    pub stats: AnalysisStats,
}

/// Contexts, race detection, deadlocks and lock misuse over one stream; see the module.
#[derive(Debug)]
pub struct LiveAnalysis {
    sites: Arc<SiteTable>,
    options: AnalysisOptions,
    contexts: Contexts,
    races: Races,
    misuse: LockMisuse,
    objects: SyncObjects,
    /// Those of the table.
    detectors: Vec<Box<dyn Detector>>,
    notifications: Notifications,
    traps: Traps,
    ended_normally: bool,
    /// The run has ended, and what was still alive ends with it.
    ending: bool,
    deadlocks: Vec<(u64, Diagnosed)>,
    /// Records and events so far.
    position: u64,
    stats: AnalysisStats,
    /// Where race detection ended.
    ended: Option<LimitNotice>,
    halted: bool,
}

#[derive(Debug)]
enum Races {
    Off,
    Detect(Box<HappensBefore>),
    Resolve {
        pass: Box<SecondPass>,
        /// What the first pass found besides races.
        outcome: Box<AnalysisOutcome>,
        others: Vec<(u64, Diagnosed)>,
    },
}

impl LiveAnalysis {
    /// The first pass over a run of the program with these sites.
    #[must_use]
    pub fn new(sites: Arc<SiteTable>, options: AnalysisOptions) -> Self {
        let races = match options.detect {
            Detect::None => Races::Off,
            Detect::HappensBefore => Races::Detect(Box::new(HappensBefore::new(
                &sites,
                &options.limits,
                options.halt_on_error,
            ))),
        };
        Self::with(sites, options, races)
    }

    /// The calls that a thread has made and not returned from, outermost first.
    #[must_use]
    pub fn calls(&self, thread: ThreadId) -> &[SiteId] {
        self.contexts.calls(thread)
    }

    /// Whether there are races whose earlier access is known by its epoch only.
    #[must_use]
    pub fn needs_second_pass(&self) -> bool {
        matches!(&self.races, Races::Detect(detector) if detector.found_races())
    }

    /// An analysis that takes the same stream again and completes the races that this one found. It says
    /// [`Flow::Halt`] as soon as it has seen enough; that is no finding. If there is nothing to
    /// complete, it says so at once.
    #[must_use]
    pub fn into_second_pass(self) -> Self {
        let sites = Arc::clone(&self.sites);
        let options = self.options.clone();
        let (outcome, candidates, others) = match self.take_apart() {
            (outcome, Parts::First { candidates, others }) => (outcome, candidates, others),
            (outcome, Parts::Second(diagnoses)) => (outcome, Vec::new(), diagnoses),
        };
        let pass = Box::new(SecondPass::new(&options.limits, candidates));
        let races = Races::Resolve {
            pass,
            outcome: Box::new(outcome),
            others,
        };
        Self::with(sites, options, races)
    }

    /// Everything found. Without a second pass, the earlier accesses of races have no stack.
    #[must_use]
    pub fn finish(self) -> AnalysisOutcome {
        let max_frames = self.options.limits.stack_frames;
        let (mut outcome, parts) = self.take_apart();
        let mut found = match parts {
            Parts::First { candidates, others } => candidates
                .into_iter()
                .flat_map(|candidate| candidate.diagnose(Vec::new()))
                .chain(others)
                .collect(),
            Parts::Second(diagnoses) => diagnoses,
        };
        found.sort_by_key(|&(position, _)| position);
        outcome.diagnoses = unify(found);
        if outcome
            .diagnoses
            .iter()
            .any(|found| longest_stack(&found.diagnosis) >= max_frames)
        {
            outcome
                .limits
                .push(LimitNotice::StackFrames { limit: max_frames });
        }
        outcome
    }

    /// Says where a thread is, calls innermost first, to an analysis that is given no calls.
    pub(crate) fn place(&mut self, thread: ThreadId, calls: &[SiteId]) {
        self.contexts.place(thread, calls);
    }

    /// About how many bytes the detectors take for the accesses that they remember.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.races {
            Races::Detect(detector) => detector.shadow_bytes(),
            Races::Off | Races::Resolve { .. } => 0,
        }
    }

    /// The run ended because the guest was done: its entry returned, or it called exit with 0. What it should have
    /// done by then and did not is reported.
    pub fn end_normally(&mut self) {
        self.ended_normally = true;
    }

    /// The call stack of a thread as it is now, innermost first; empty if it is not known.
    #[must_use]
    pub fn stack(&self, thread: ThreadId) -> Stack {
        self.contexts
            .get(thread)
            .map(|context| context.stack(context.waiting()))
            .unwrap_or_default()
    }

    /// The locks that a thread holds now.
    #[must_use]
    pub fn locks(&self, thread: ThreadId) -> Vec<HeldLock> {
        self.contexts.locks(thread)
    }

    fn with(sites: Arc<SiteTable>, options: AnalysisOptions, races: Races) -> Self {
        LiveAnalysis {
            sites,
            contexts: Contexts::new(&options.limits),
            detectors: (DETECTORS.iter())
                .map(|detector| detector(&options.limits))
                .collect(),
            options,
            races,
            misuse: LockMisuse::default(),
            objects: SyncObjects::default(),
            notifications: Notifications::default(),
            traps: Traps::default(),
            ended_normally: false,
            ending: false,
            deadlocks: Vec::new(),
            position: 0,
            stats: AnalysisStats::default(),
            ended: None,
            halted: false,
        }
    }

    fn take_apart(self) -> (AnalysisOutcome, Parts) {
        let limits = &self.options.limits;
        let mut outcome = AnalysisOutcome {
            stats: self.stats,
            ..AnalysisOutcome::default()
        };
        let mut others = Vec::new();
        let candidates = match self.races {
            Races::Resolve {
                pass,
                mut outcome,
                others: mut found,
            } => {
                outcome.stats.unresolved = pass.unresolved() as u64;
                found.extend(pass.finish());
                return (*outcome, Parts::Second(found));
            }
            Races::Off => Vec::new(),
            Races::Detect(detector) => {
                let found = detector.finish();
                let notices = &mut outcome.limits;
                notices.extend(self.ended);
                let (limit, dropped) = (limits.candidates, found.candidates.dropped());
                if dropped > 0 {
                    notices.push(LimitNotice::Candidates { limit, dropped });
                }
                let (limit, forgotten) = (limits.shared_bytes, found.forgotten);
                if forgotten > 0 {
                    notices.push(LimitNotice::SharedAccesses { limit, forgotten });
                }
                let (limit, dropped) = (limits.heap_blocks, found.blocks_dropped);
                if dropped > 0 {
                    notices.push(LimitNotice::HeapBlocks { limit, dropped });
                }
                let dropped = found.benign_dropped + self.contexts.names_dropped();
                if dropped > 0 {
                    let limit = limits.annotations;
                    notices.push(LimitNotice::Annotations { limit, dropped });
                }
                others = found.heap_misuses;
                outcome.overflows = found.overflows;
                outcome.stats.checked = found.checked;
                outcome.stats.shadow_bytes = found.shadow.bytes();
                outcome.stats.shared_granules = found.shadow.wide as u64;
                found.candidates.into_list()
            }
        };
        if self.contexts.too_deep() {
            outcome.limits.push(LimitNotice::CallDepth {
                limit: limits.call_depth,
            });
        }
        let end = End {
            contexts: &self.contexts,
            normally: self.ended_normally,
            position: self.position,
        };
        let mut results = Results::default();
        for detector in self.detectors {
            detector.finish(&end, &mut results);
        }
        outcome.limits.extend(results.limits);
        outcome.running = results.running;
        others.extend(results.found);
        others.extend(self.misuse.into_found());
        others.extend(self.deadlocks);
        let dropped = self.traps.dropped();
        if dropped > 0 {
            let limit = traps::KEPT;
            outcome.limits.push(LimitNotice::Traps { limit, dropped });
        }
        let (found, trapped) = self.traps.into_found();
        others.extend(found);
        outcome.traps = trapped;
        outcome.threads = self.contexts.into_infos();
        (outcome, Parts::First { candidates, others })
    }

    /// Whether the detector of races finds what is wrong: the object's memory is gone as well, or nothing orders its use
    /// after its end.
    fn is_race(&self, thread: ThreadId, broken: &Broken) -> bool {
        let Races::Detect(detector) = &self.races else {
            return false;
        };
        let ordered = (broken.after).is_none_or(|moment| detector.knows(thread, moment));
        let freed = detector.is_freed(broken.object);
        detector.ended().is_none() && (freed || !ordered)
    }

    /// To be called after something was analysed.
    fn flow(&mut self) -> Flow {
        match &self.races {
            Races::Resolve { pass, .. } => self.halted = pass.done(self.position),
            Races::Detect(detector) => {
                if self.ended.is_none()
                    && let Some(cause) = detector.ended()
                {
                    let position = self.position;
                    self.ended = Some(LimitNotice::DetectionEnded { cause, position });
                }
                self.halted =
                    self.options.halt_on_error && (detector.found_any() || self.found_others());
            }
            Races::Off => self.halted = self.options.halt_on_error && self.found_others(),
        }
        if self.halted {
            Flow::Halt
        } else {
            Flow::Continue
        }
    }

    /// What explains a deadlock.
    fn known(&self) -> deadlock::Known<'_> {
        deadlock::Known {
            contexts: &self.contexts,
            notifications: &self.notifications,
            heap: match &self.races {
                Races::Detect(detector) => Some(detector),
                _ => None,
            },
        }
    }

    fn deadlock(&mut self, diagnosis: Diagnosis) {
        for detector in &mut self.detectors {
            detector.deadlock(&diagnosis);
        }
        self.misuse.deadlock(&diagnosis);
        let count = 1;
        self.deadlocks
            .push((self.position, Diagnosed { diagnosis, count }));
    }

    fn found_others(&self) -> bool {
        !self.misuse.is_empty()
            || !self.deadlocks.is_empty()
            || !self.traps.is_empty()
            || self.detectors.iter().any(|one| one.found_any())
    }
}

enum Parts {
    First {
        candidates: Vec<crate::detect::races::candidates::Candidate>,
        others: Vec<(u64, Diagnosed)>,
    },
    Second(Vec<(u64, Diagnosed)>),
}

fn longest_stack(diagnosis: &Diagnosis) -> usize {
    match diagnosis {
        Diagnosis::DataRace { first, second, .. } => first.stack.len().max(second.stack.len()),
        Diagnosis::HeapMisuse { access, block, .. } => {
            let freed = block.freed.as_ref().map_or(0, |(_, stack)| stack.len());
            access.stack.len().max(block.stack.len()).max(freed)
        }
        Diagnosis::Deadlock { blocked, .. } => blocked
            .iter()
            .map(|thread| thread.stack.len())
            .max()
            .unwrap_or(0),
        Diagnosis::LockOrderInversion { edges } => edges
            .iter()
            .map(|edge| edge.held.stack.len().max(edge.taken.stack.len()))
            .max()
            .unwrap_or(0),
        Diagnosis::ThreadLeak { stack, .. }
        | Diagnosis::HandleMisuse { stack, .. }
        | Diagnosis::LockMisuse { stack, .. }
        | Diagnosis::Note(Note { stack, .. }) => stack.len(),
        // That of a stack that overflowed is always too long, and nobody misses its other end.
        Diagnosis::Trap(_) => 0,
    }
}

impl EventSink for LiveAnalysis {
    fn sites(&mut self, sites: &Arc<SiteTable>) {
        self.sites = Arc::clone(sites);
        if let Races::Detect(detector) = &mut self.races {
            detector.know(sites);
        }
    }

    /// # Panics
    /// If a record names a site that is not in the table.
    fn records(&mut self, thread: ThreadId, records: Records<'_>) -> Flow {
        if self.halted {
            return Flow::Halt;
        }
        let (sites, position) = (&*self.sites, self.position);
        if self.objects.watches() && self.contexts.get(thread).is_some_and(|at| !at.hidden()) {
            self.objects.records(sites, records);
        }
        let count = match &mut self.races {
            Races::Detect(detector) if detector.ended().is_none() => {
                detector.records(sites, &mut self.contexts, thread, records, position)
            }
            Races::Resolve { pass, .. } => {
                pass.records(sites, &mut self.contexts, thread, records, position)
            }
            _ => {
                let mut cursor = Cursor::new(records);
                if let Some(context) = self.contexts.get_mut(thread) {
                    follow(sites, context, &mut cursor);
                }
                cursor.done()
            }
        };
        if let Some(context) = self.contexts.get_mut(thread) {
            context.recorded(count);
        }
        self.position += count;
        self.stats.records += count;
        self.flow()
    }

    fn event(&mut self, event: &Event) -> Flow {
        if self.halted {
            return Flow::Halt;
        }
        let position = self.position;
        let detecting = !matches!(self.races, Races::Resolve { .. });
        if detecting && let Some(trap) = self.contexts.trapped(event) {
            self.traps.add(trap, position);
        }
        if detecting && !self.ending && event.kind == EventKind::ThreadExit(ThreadEnd::Cancelled) {
            self.ending = true;
            if self.deadlocks.is_empty()
                && let Some(diagnosis) = deadlock::stuck(&self.known(), &self.misuse)
            {
                self.deadlock(diagnosis);
            }
        }
        let followed = self.contexts.follow(event);
        if let Some((misuse, lock)) = followed.misuse {
            if detecting {
                let broken = (misuse, lock);
                (self.misuse).add(&self.contexts, event.thread, broken, position);
            }
            // A lock that refused is as it was.
            if !matches!(event.kind, EventKind::LockNotReleased { .. }) {
                self.contexts.force_release(lock);
            }
        }
        let mut told = false;
        if detecting {
            let broken = (self.objects).event(&self.contexts, event, followed.hidden);
            for broken in broken {
                let thread = event.thread;
                if self.is_race(thread, &broken) {
                    continue;
                }
                told |= broken.misuse == Misuse::DestroyInUse;
                (self.misuse).add_broken(&self.contexts, thread, broken, position);
            }
            let at = At {
                contexts: &self.contexts,
                event,
                hidden: followed.hidden,
                position,
            };
            if !event.kind.is_atomic_access() {
                for detector in &mut self.detectors {
                    detector.event(&at);
                }
            }
            self.notifications
                .follow(&self.contexts, event, followed.hidden);
        }
        match &mut self.races {
            Races::Detect(detector) if detector.ended().is_none() => {
                detector.event(&self.contexts, event, followed.hidden, position, told);
                if let EventKind::Object {
                    object,
                    act: ObjectAct::Destroy,
                    ..
                } = event.kind
                {
                    let moment = detector.moment(event.thread);
                    self.objects.destroyed_at(object, moment);
                }
            }
            Races::Resolve { pass, .. } => {
                pass.event(&self.contexts, event, followed.hidden, position);
            }
            _ => {}
        }
        if let EventKind::Deadlock { blocked } = &event.kind {
            let diagnosis = deadlock::explain(&self.known(), blocked);
            self.deadlock(diagnosis);
        }
        self.position += 1;
        self.stats.events += 1;
        self.flow()
    }
}
