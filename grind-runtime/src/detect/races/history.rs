//! What two racing threads did to order themselves with others, around their accesses: the steps that a report numbers,
//! and among them the release and the acquire that missed each other.
//!
//! **Finds** the last steps of each thread before its access, and the first of the earlier thread after its own. They are
//! those that `clocks::order` makes edges of; what is hidden there is not here either.
//!
//! **Cost**: in the second pass only: a call stack for each step of a thread that races.

use crate::detect::common::context::Contexts;
use crate::detect::common::diagnosis::{Access, Stack};
use crate::detect::common::step::{History, HistoryStep, StepKind};
use crate::model::meaning::{
    Acquire, LockStep, LockToldBy, OfLock, Release, TouchedBy, WaitStep, WokenOn,
};
use crate::model::{AtomicKind, Event, EventKind, LockMode, ThreadId, WaitOutcome};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// Steps kept before each access, and after the first: more than a report shows, which leaves out what libraries do for
/// themselves.
const KEPT: usize = 16;

/// A step and when it was.
#[derive(Clone, Debug)]
struct Logged {
    position: u64,
    /// The thread's steps before it.
    number: u64,
    step: HistoryStep,
}

impl HistoryStep {
    /// The step that an event is, if it is one.
    fn of(event: &Event, hidden: bool) -> Option<HistoryStep> {
        let of = |did| HistoryStep::new(event.thread, did);
        let at = |did, address| HistoryStep {
            address: Some(address),
            ..of(did)
        };
        let with = |did, other| HistoryStep {
            other: Some(other),
            ..of(did)
        };
        let kind = &event.kind;
        if *kind == EventKind::ThreadStart {
            return Some(of(StepKind::Start));
        }
        let acquire = kind.acquires();
        let release = kind.releases();
        match (acquire, release) {
            (_, Some(Release::End)) => return Some(of(StepKind::End)),
            (_, Some(Release::Create(child))) => return Some(with(StepKind::Create, child)),
            (Some(Acquire::Join(child)), _) => return Some(with(StepKind::Join, child)),
            (_, Some(Release::Object(object) | Release::Round(object))) => {
                return Some(at(StepKind::Release, object));
            }
            (Some(Acquire::Object(object) | Acquire::Round(object)), _) => {
                return Some(at(StepKind::Acquire, object));
            }
            _ if hidden => return None,
            _ => {}
        }
        if let Some(OfLock {
            lock,
            step,
            told_by,
        }) = kind.locks()
        {
            let condvar = matches!(told_by, LockToldBy::Condvar { .. });
            let did = match step {
                LockStep::Ask { .. } | LockStep::Fail => return None,
                LockStep::Take { .. } if condvar => StepKind::CondvarWake,
                LockStep::Leave { .. } if condvar => StepKind::CondvarWait,
                LockStep::Take { mode, .. } => match mode {
                    LockMode::Exclusive => StepKind::Lock,
                    LockMode::Shared => StepKind::LockShared,
                },
                LockStep::Leave { .. } => StepKind::Unlock,
            };
            return Some(at(did, lock));
        }
        let on = |did, on| match on {
            WokenOn::Futex(addr) => at(did, addr),
            WokenOn::Key(_) => of(did),
        };
        match (kind.touches(), kind.waits()) {
            (Some(touched), _) => match touched.by {
                TouchedBy::Atomic(AtomicKind::Load) => Some(at(StepKind::Load, touched.addr)),
                TouchedBy::Atomic(AtomicKind::Store) => Some(at(StepKind::Store, touched.addr)),
                TouchedBy::Atomic(AtomicKind::ReadModifyWrite) => {
                    Some(at(StepKind::Update, touched.addr))
                }
                _ => None,
            },
            (
                None,
                Some(WaitStep::End {
                    on: what,
                    outcome: WaitOutcome::Woken,
                }),
            ) => Some(on(StepKind::Woken, what)),
            (None, Some(WaitStep::Wake { on: what, woken })) if woken > 0 => {
                Some(on(StepKind::Notify, what))
            }
            _ => None,
        }
    }
}

/// The latest steps of a thread.
#[derive(Clone, Debug, Default)]
struct ThreadLog {
    count: u64,
    recent: VecDeque<Logged>,
    acquired: Option<Logged>,
}

/// The latest steps of threads that race.
#[derive(Debug)]
pub(in crate::detect) struct StepLog {
    threads: FxHashMap<ThreadId, ThreadLog>,
    /// The others are not followed.
    racing: FxHashSet<ThreadId>,
    /// What happens to a lock by the atomic access at this position.
    word: Option<(u64, HistoryStep)>,
}

/// What an event is to a log.
#[derive(Debug)]
pub(in crate::detect) struct Entry(Logged);

impl Entry {
    pub(in crate::detect) fn thread(&self) -> ThreadId {
        self.0.step.thread
    }

    pub(in crate::detect) fn position(&self) -> u64 {
        self.0.position
    }
}

impl StepLog {
    pub(in crate::detect) fn new(racing: impl Iterator<Item = ThreadId>) -> Self {
        StepLog {
            threads: FxHashMap::default(),
            racing: racing.collect(),
            word: None,
        }
    }

    /// The step of a racing thread that an event at `position` is; to be added when the event was dealt with.
    pub(in crate::detect) fn entry(
        &mut self,
        contexts: &Contexts,
        event: &Event,
        hidden: bool,
        position: u64,
    ) -> Option<Entry> {
        if !self.racing.contains(&event.thread) {
            return None;
        }
        let word = self.word.take();
        if let Some(LockToldBy::Word { site: Some(_) }) = event.kind.locks().map(|of| of.told_by) {
            self.word = HistoryStep::of(event, hidden).map(|step| (position + 1, step));
            return None;
        }
        let word = word.filter(|(at, step)| (*at, step.thread) == (position, event.thread));
        let mut step = match (word, event.kind.touches().map(|touched| touched.by)) {
            (Some((_, step)), Some(TouchedBy::Atomic(_))) => step,
            _ => HistoryStep::of(event, hidden)?,
        };
        if step.did == StepKind::Start && contexts.created(event.thread).is_none() {
            // The main thread is ordered after nothing.
            return None;
        }
        let context = contexts.get(event.thread);
        step.stack = context.map_or_else(Stack::new, |context| context.stack(event.kind.site()));
        if step.did.is_of_lock() {
            step.name = step.address.and_then(|lock| contexts.lock_name(lock));
        }
        let log = self.threads.get(&event.thread);
        let number = log.map_or(0, |log| log.count);
        Some(Entry(Logged {
            position,
            number,
            step,
        }))
    }

    pub(in crate::detect) fn add(&mut self, Entry(logged): Entry) {
        let log = self.threads.entry(logged.step.thread).or_default();
        log.count += 1;
        if logged.step.did.acquires() {
            log.acquired = Some(logged.clone());
        }
        if log.recent.len() == KEPT {
            log.recent.pop_front();
        }
        log.recent.push_back(logged);
    }

    fn of(&self, thread: ThreadId) -> ThreadLog {
        self.threads.get(&thread).cloned().unwrap_or_default()
    }
}

/// The earlier thread's steps around its access.
#[derive(Debug)]
pub(in crate::detect) struct Earlier {
    position: u64,
    before: ThreadLog,
    after: Vec<Logged>,
    released: Option<Logged>,
}

impl Earlier {
    /// The access is made now, at `position`.
    pub(in crate::detect) fn new(log: &StepLog, thread: ThreadId, position: u64) -> Self {
        Earlier {
            position,
            before: log.of(thread),
            after: Vec::new(),
            released: None,
        }
    }

    /// Takes a step of the thread that is the access or comes after it. False if no more are needed.
    pub(in crate::detect) fn note(&mut self, Entry(logged): &Entry) -> bool {
        if self.after.len() < KEPT && logged.position > self.position {
            self.after.push(logged.clone());
        }
        if self.released.is_none() && logged.step.did.releases() {
            self.released = Some(logged.clone());
        }
        self.after.len() < KEPT || self.released.is_none()
    }
}

/// The later thread's steps before its access.
#[derive(Clone, Debug)]
pub(in crate::detect) struct Later {
    before: ThreadLog,
    /// The access is an acquire as well.
    acquires: bool,
}

impl Later {
    /// The access comes next, or came after the last step; `with`: it is this step.
    pub(in crate::detect) fn new(log: &StepLog, thread: ThreadId, with: Option<&Entry>) -> Self {
        Later {
            before: log.of(thread),
            acquires: with.is_some_and(|Entry(logged)| logged.step.did.acquires()),
        }
    }
}

/// Both in one order, with the accesses, the later of which is at `position`.
pub(in crate::detect) fn history(
    first: &Access,
    earlier: Earlier,
    (second, position): (&Access, u64),
    later: Later,
) -> History {
    let access = |did, access: &Access, position, number| Logged {
        position,
        number,
        step: HistoryStep {
            address: Some(access.addr),
            ..HistoryStep::new(access.thread, did)
        },
    };
    // With a position each, and without what is there already: an access is no step besides.
    let (at, number) = (earlier.position, earlier.before.count);
    let mut steps: Vec<Logged> = earlier.before.recent.into();
    steps.push(access(StepKind::FirstAccess, first, at, number));
    steps.extend(earlier.after);
    let released = (earlier.released.as_ref()).map(|logged| logged.position);
    steps.extend(earlier.released.filter(|logged| logged.position != at));
    // The stream may have gone on, for the sake of other races.
    steps.retain(|logged| logged.position < position);
    let acquired = match later.acquires {
        true => Some(position),
        false => later.before.acquired.as_ref().map(|logged| logged.position),
    };
    steps.extend(later.before.acquired);
    steps.extend(later.before.recent);
    let number = later.before.count;
    steps.push(access(StepKind::SecondAccess, second, position, number));
    steps.sort_by_key(|logged| logged.position);
    steps.dedup_by_key(|logged| logged.position);

    let index = |wanted: Option<u64>| {
        let wanted = wanted?;
        steps.iter().position(|logged| logged.position == wanted)
    };
    let (released, acquired) = (index(released), index(acquired));
    let mut last: FxHashMap<ThreadId, u64> = FxHashMap::default();
    let steps = steps.into_iter().map(
        |Logged {
             number, mut step, ..
         }| {
            let access = matches!(step.did, StepKind::FirstAccess | StepKind::SecondAccess);
            if let Some(last) = last.get(&step.thread) {
                step.left_out = number.saturating_sub(*last);
            }
            last.insert(step.thread, number + u64::from(!access));
            step
        },
    );
    History {
        steps: steps.collect(),
        released,
        acquired,
    }
}
