//! Which analyses there are, and how they are run over a trace.

use crate::detect::{Diagnosis, ThreadInfo};
use crate::model::Control;
use crate::predict::algorithms::{
    Deadlock, DeadlockPrediction, Event, HappensBefore, Lockset, Osr, Race, RaceAnalysis,
    ReadError, Shb, Stop, SyncPreserving, Totals, Wcp, WellFormed,
};
use crate::predict::translate::evidence::{Collected, collect};
use crate::predict::translate::shape::{Shape, Unknown};
use crate::predict::translate::source::{Batch, SyncSource};
use crate::predict::translate::visible::Visible;
use crate::trace::{Detail, TraceError, TraceReader};
use derive_setters::Setters;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

/// An analysis of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Analysis {
    /// [`HappensBefore`].
    Hb,
    /// [`Shb`].
    Shb,
    /// [`Wcp`].
    Wcp,
    /// [`SyncPreserving`].
    Syncp,
    /// [`Osr`].
    Osr,
    /// [`Lockset`].
    Lockset,
    /// [`DeadlockPrediction`].
    Deadlock,
}

impl Analysis {
    /// All of them, in the order in which they are worth running.
    pub const ALL: [Analysis; 7] = [
        Analysis::Hb,
        Analysis::Shb,
        Analysis::Wcp,
        Analysis::Syncp,
        Analysis::Osr,
        Analysis::Deadlock,
        Analysis::Lockset,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Analysis::Hb => "hb",
            Analysis::Shb => "shb",
            Analysis::Wcp => "wcp",
            Analysis::Syncp => "syncp",
            Analysis::Osr => "osr",
            Analysis::Lockset => "lockset",
            Analysis::Deadlock => "deadlock",
        }
    }

    /// What it looks for, in a line.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Analysis::Hb => "races of this interleaving, by happens-before",
            Analysis::Shb => "those that do not depend on another race",
            Analysis::Wcp => "races of other interleavings, by weak causal precedence",
            Analysis::Syncp => "races of interleavings that keep the order of locks",
            Analysis::Osr => "races of interleavings that reverse critical sections",
            Analysis::Lockset => "memory that no lock protects throughout: hints, no proofs",
            Analysis::Deadlock => {
                "deadlocks of two threads in interleavings that keep the order of locks"
            }
        }
    }

    /// Whether what it says can be wrong.
    #[must_use]
    pub const fn is_sound(self) -> bool {
        !matches!(self, Analysis::Lockset)
    }

    /// Whether it expects locks to be released in the reverse order of their acquires.
    const fn wants_nesting(self) -> bool {
        !matches!(self, Analysis::Hb | Analysis::Shb | Analysis::Lockset)
    }

    fn start(self) -> Running {
        match self {
            Analysis::Hb => Running::Races(Box::new(HappensBefore::default())),
            Analysis::Shb => Running::Races(Box::new(Shb::default())),
            Analysis::Wcp => Running::Races(Box::new(Wcp::default())),
            Analysis::Syncp => Running::Races(Box::new(SyncPreserving::default())),
            Analysis::Osr => Running::Races(Box::new(Osr::default())),
            Analysis::Lockset => Running::Races(Box::new(Lockset::default())),
            Analysis::Deadlock => Running::Deadlocks(Box::default()),
        }
    }
}

enum Running {
    Races(Box<dyn Feed>),
    Deadlocks(Box<DeadlockPrediction>),
    /// It took too much memory after so many events, and had seen this.
    LeftOut(u64, Totals),
}

impl Running {
    fn bytes(&self) -> u64 {
        match self {
            Running::Races(one) => one.bytes(),
            Running::Deadlocks(one) => one.bytes(),
            Running::LeftOut(..) => 0,
        }
    }

    fn stop_when(&mut self, stop: Stop) {
        match self {
            Running::Races(one) => one.stop_when(stop),
            Running::Deadlocks(one) => one.stop_when(stop),
            Running::LeftOut(..) => {}
        }
    }
}

/// [`RaceAnalysis`] as an object.
trait Feed {
    /// Takes the next events, and appends the races to `found`, with `index`.
    fn feed(&mut self, events: &[Event], index: usize, found: &mut Vec<(usize, Race)>);
    fn finish(&self) -> Totals;
    fn bytes(&self) -> u64;
    fn stop_when(&mut self, stop: Stop);
}

impl<A: RaceAnalysis> Feed for A {
    fn feed(&mut self, events: &[Event], index: usize, found: &mut Vec<(usize, Race)>) {
        for &event in events {
            if let Some(race) = RaceAnalysis::feed(self, event) {
                found.push((index, race));
            }
        }
    }

    fn finish(&self) -> Totals {
        RaceAnalysis::finish(self)
    }

    fn bytes(&self) -> u64 {
        RaceAnalysis::bytes(self)
    }

    fn stop_when(&mut self, stop: Stop) {
        RaceAnalysis::stop_when(self, stop);
    }
}

/// What reading a trace may take, and who can end it.
#[derive(Clone, Debug, Default, Setters)]
#[non_exhaustive]
pub struct Bounds {
    /// Bytes of memory, about, for what is remembered of the trace; no bound if none. Where there would be more, the analysis
    /// that takes most is left out from there on, and the others go on.
    pub memory: Option<u64>,
    /// What was found until then is returned when this is asked to stop.
    pub control: Arc<Control>,
}

impl Bounds {
    pub(in crate::predict) fn stop(&self) -> Stop {
        let control = Arc::clone(&self.control);
        Stop::when(move || control.stop_requested())
    }

    pub(in crate::predict) fn is_over(&self, bytes: u64) -> bool {
        self.memory.is_some_and(|most| bytes > most)
    }
}

/// How far an analysis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which reading of the trace it is, from 1 to 3.
    pub reading: u8,
    /// Bytes of the file that were read.
    pub position: u64,
    /// Events that were analysed.
    pub events: u64,
}

/// Something that another schedule would show, or this one does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicted {
    /// Which analyses say so.
    pub analyses: Vec<Analysis>,
    /// What it is: a data race, or two acquires that block each other as a lock-order inversion.
    pub diagnosis: Diagnosis,
    /// How many pairs of events show it.
    pub count: u64,
    /// Numbers of the two events, for whoever builds a schedule.
    pub(crate) events: (u64, u64),
}

/// What an analysis came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analyzed {
    /// In order of the later event of the first pair.
    pub predicted: Vec<Predicted>,
    /// What each analysis saw, and how many distinct findings beyond the limit it had.
    pub totals: Vec<(Analysis, Totals, u64)>,
    /// Every thread that was created.
    pub threads: Vec<ThreadInfo>,
    /// It was stopped before the end of the trace.
    pub stopped: bool,
    /// Analyses that would have taken too much memory, and after how many events. What they had found is there.
    pub left_out: Vec<(Analysis, u64)>,
    /// Predictions that are left out because the reading that takes their stacks was stopped.
    pub unshown: usize,
    /// The trace is truncated.
    pub truncated: bool,
    /// The trace has no accesses.
    pub light: bool,
    /// Locks whose sections were left in the order of the trace, for there are analyses that take sections for nested, and
    /// these were released before a lock that was taken later.
    pub unnested: usize,
}

/// Why a trace could not be analysed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// It cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// It has too much of something, or is none that an execution can make.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It has no accesses.
    #[error("the trace has no accesses, which {0} needs")]
    Light(&'static str),
}

/// Distinct findings of an analysis; more are counted.
const MOST: usize = 1000;

/// Steps between two looks at the clock.
const TICK: u64 = 1 << 16;

/// Distinct findings by the places of their events, the earlier first.
type Found = BTreeMap<(u32, u32), Pair>;

#[derive(Clone, Debug)]
struct Pair {
    analyses: Vec<Analysis>,
    count: u64,
    /// Numbers of the earlier event and the later one.
    events: (u32, u32),
    /// Of a deadlock: the locks that the two acquires want.
    wants: Option<(u32, u32)>,
}

/// Runs analyses over a trace that `open` opens, as often as needed. `progress` is asked now and then whether to go on; in the
/// third reading, which takes the stacks of what was found, only that is, so that there is time for it.
///
/// # Errors
/// [`OfflineError`].
pub fn analyze<R: Read>(
    mut open: impl FnMut() -> Result<TraceReader<R>, TraceError>,
    wanted: &[Analysis],
    bounds: &Bounds,
    mut progress: impl FnMut(Progress) -> ControlFlow<()>,
) -> Result<Analyzed, OfflineError> {
    let reader = open()?;
    let light = reader.header().detail == Detail::Light;
    if let Some(analysis) = (wanted.iter()).find(|&&one| light && one != Analysis::Deadlock) {
        return Err(OfflineError::Light(analysis.name()));
    }
    let mut go_on = |progressed: Progress| match bounds.control.stop_requested() {
        true => ControlFlow::Break(()),
        false => progress(progressed),
    };
    let first = |position| {
        go_on(Progress {
            reading: 1,
            position,
            events: 0,
        })
    };
    let shape = match Shape::within(Visible::learning(reader), bounds.memory, first)? {
        Ok(shape) => shape,
        Err(why) => {
            let nothing = |&one| (one, Totals::default(), 0);
            let large = wanted.iter().filter(|_| why == Unknown::Large);
            return Ok(Analyzed {
                totals: wanted.iter().map(nothing).collect(),
                stopped: why == Unknown::Stopped,
                left_out: large.map(|&one| (one, 0)).collect(),
                light,
                ..Analyzed::default()
            });
        }
    };
    let (shape, mut checker) = match wanted.iter().any(|analysis| analysis.wants_nesting()) {
        true => (shape, WellFormed::default()),
        false => (shape.any_nesting(), WellFormed::any_nesting()),
    };
    let unnested = shape.ordered();
    let shape = Arc::new(shape);
    let mut source = SyncSource::new(open()?, Arc::clone(&shape), false);
    let mut team = Team::new(wanted, bounds);
    let mut analyzed = Analyzed {
        light,
        unnested,
        ..Analyzed::default()
    };
    let mut events = 0;
    while let Some(batch) = source.next_events()? {
        let mut admitted = batch.events.iter();
        if let Err(error) = admitted.try_for_each(|&event| checker.admit(event)) {
            return Err(source.named(error).into());
        }
        team.feed(batch);
        let before = events;
        events += batch.events.len() as u64;
        team.sort_out(|variable| source.is_benign(variable));
        team.fit(events, shape.bytes() + source.bytes(), bounds);
        let due = before / TICK != events / TICK || bounds.control.stop_requested();
        let now = Progress {
            reading: 2,
            position: source.position(),
            events,
        };
        if due && go_on(now).is_break() {
            analyzed.stopped = true;
            break;
        }
        if team.is_empty() {
            break;
        }
    }
    let locks = source.locks().to_vec();
    analyzed.truncated = source.truncated();
    drop(source);
    let Team {
        running,
        races,
        deadlocks,
        wanted_races,
        ..
    } = team;
    let blocked = deadlocks.values().map(|pair| pair.count as u32).sum();
    for ((analysis, running, left_out), wanted) in running.into_iter().zip(wanted_races) {
        let mut totals = match running {
            Running::Races(one) => one.finish(),
            Running::Deadlocks(_) => Totals {
                events: events as u32,
                racy: blocked,
            },
            Running::LeftOut(events, totals) => {
                analyzed.left_out.push((analysis, events));
                totals
            }
        };
        if analysis == Analysis::Deadlock {
            totals.racy = blocked;
        }
        totals.racy -= wanted;
        analyzed.totals.push((analysis, totals, left_out));
    }

    let found = || races.values().chain(deadlocks.values());
    let numbers = found().flat_map(|pair| [u64::from(pair.events.0), u64::from(pair.events.1)]);
    let collected = collect(SyncSource::new(open()?, shape, true), numbers, |position| {
        progress(Progress {
            reading: 3,
            position,
            events,
        })
    })?;
    let shown = |pair: &Pair| {
        let (one, other) = pair.events;
        [one, other]
            .iter()
            .all(|&number| collected.has(number.into()))
    };
    analyzed.unshown = found().filter(|pair| !shown(pair)).count();
    analyzed.predicted = found()
        .filter_map(|pair| pair.predicted(&collected, &locks))
        .collect();
    analyzed.predicted.sort_by_key(|one| one.events.1);
    analyzed.threads = collected.threads;
    Ok(analyzed)
}

/// The analyses that are run together.
struct Team {
    /// Each with how many findings it left out.
    running: Vec<(Analysis, Running, u64)>,
    races: Found,
    deadlocks: Found,
    /// Races of the last batch, with the index of who found them.
    batch: Vec<(usize, Race)>,
    /// Races that are wanted, by analysis.
    wanted_races: Vec<u32>,
}

impl Team {
    fn new(wanted: &[Analysis], bounds: &Bounds) -> Team {
        let start = |&analysis: &Analysis| {
            let mut running = analysis.start();
            running.stop_when(bounds.stop());
            (analysis, running, 0)
        };
        Team {
            running: wanted.iter().map(start).collect(),
            races: Found::new(),
            deadlocks: Found::new(),
            batch: Vec::new(),
            wanted_races: vec![0; wanted.len()],
        }
    }

    /// Gives each all of the batch.
    fn feed(&mut self, batch: Batch<'_>) {
        for (index, (analysis, running, left_out)) in self.running.iter_mut().enumerate() {
            match running {
                Running::Races(one) => one.feed(batch.events, index, &mut self.batch),
                Running::Deadlocks(one) => {
                    for (event, tried) in batch.with_tried() {
                        if tried {
                            one.follow(event);
                            continue;
                        }
                        one.feed(event, |deadlock| {
                            if !add_deadlock(&mut self.deadlocks, *analysis, &deadlock) {
                                *left_out += 1;
                            }
                        });
                    }
                }
                Running::LeftOut(..) => {}
            }
        }
    }

    /// Notes the races of the last batch, as if each event had been given to all before the next.
    fn sort_out(&mut self, is_benign: impl Fn(u32) -> bool) {
        self.batch.sort_by_key(|(_, race)| race.at.number);
        for (index, race) in self.batch.drain(..) {
            if is_benign(race.variable) {
                self.wanted_races[index] += 1;
                continue;
            }
            let (analysis, _, left_out) = &mut self.running[index];
            if !add_race(&mut self.races, *analysis, &race) {
                *left_out += 1;
            }
        }
    }

    /// Leaves out whoever takes most, as long as all of them and `others` take too much memory.
    fn fit(&mut self, events: u64, others: u64, bounds: &Bounds) {
        if bounds.memory.is_none() {
            return;
        }
        let bytes = |running: &[(Analysis, Running, u64)]| -> u64 {
            running.iter().map(|(_, running, _)| running.bytes()).sum()
        };
        while !self.is_empty() && bounds.is_over(others + bytes(&self.running)) {
            let largest = self.running.iter_mut().max_by_key(|one| one.1.bytes());
            let Some((_, running, _)) = largest else {
                return;
            };
            let totals = match running {
                Running::Races(one) => one.finish(),
                Running::Deadlocks(_) => Totals {
                    events: events as u32,
                    racy: 0,
                },
                // All others are left out, and take nothing.
                Running::LeftOut(..) => return,
            };
            *running = Running::LeftOut(events, totals);
        }
    }

    /// Whether all are left out.
    fn is_empty(&self) -> bool {
        (self.running.iter()).all(|(_, running, _)| matches!(running, Running::LeftOut(..)))
    }
}

/// False if there are too many.
fn add_race(found: &mut Found, analysis: Analysis, race: &Race) -> bool {
    let Some(other) = race.other else {
        return false;
    };
    let places = (other.location, race.at.location);
    let key = (places.0.min(places.1), places.0.max(places.1));
    add(found, key, analysis, (other.number, race.at.number), None)
}

fn add_deadlock(found: &mut Found, analysis: Analysis, deadlock: &Deadlock) -> bool {
    let (at, other) = (deadlock.at, deadlock.other);
    let key = (
        at.location.min(other.location),
        at.location.max(other.location),
    );
    let wants = Some((deadlock.other_lock, deadlock.lock));
    add(found, key, analysis, (other.number, at.number), wants)
}

fn add(
    found: &mut Found,
    key: (u32, u32),
    analysis: Analysis,
    events: (u32, u32),
    wants: Option<(u32, u32)>,
) -> bool {
    if let Some(pair) = found.get_mut(&key) {
        pair.count += u64::from(pair.analyses.first() == Some(&analysis));
        if !pair.analyses.contains(&analysis) {
            pair.analyses.push(analysis);
        }
        return true;
    }
    if found.len() >= MOST {
        return false;
    }
    let pair = Pair {
        analyses: vec![analysis],
        count: 1,
        events,
        wants,
    };
    found.insert(key, pair);
    true
}

impl Pair {
    fn predicted(&self, collected: &Collected, locks: &[u32]) -> Option<Predicted> {
        let events = (u64::from(self.events.0), u64::from(self.events.1));
        let get = |number: u64| collected.events.get(&number);
        let (earlier, later) = (get(events.0)?, get(events.1)?);
        let diagnosis = match self.wants {
            None => Diagnosis::DataRace {
                first: earlier.access()?,
                second: later.access()?,
                block: None,
                stack_place: None,
                history: None,
            },
            Some((earlier_wants, later_wants)) => {
                let lock = |number: u32| locks.get(number as usize).copied();
                // Each holds what the other wants.
                let mut edges = vec![
                    earlier.edge(lock(later_wants)?)?,
                    later.edge(lock(earlier_wants)?)?,
                ];
                if edges[1].held.lock < edges[0].held.lock {
                    edges.swap(0, 1);
                }
                Diagnosis::LockOrderInversion { edges }
            }
        };
        Some(Predicted {
            analyses: self.analyses.clone(),
            diagnosis,
            count: self.count,
            events,
        })
    }
}
