//! What two racing threads did to order themselves with others, around their accesses: the steps that a report numbers,
//! and among them the release and the acquire that missed each other.
//!
//! **Finds** the last steps of each thread before its access, and the first of the earlier thread after its own. They are
//! those that `analysis::order` makes edges of; what is hidden there is not here either.
//!
//! **Cost**: in the second pass only: a call stack for each step of a thread that races.

use super::context::Contexts;
use super::diagnosis::{Access, Stack};
use crate::model::meaning::{
    Acquire, LockStep, LockToldBy, OfLock, Release, TouchedBy, WaitStep, WokenOn,
};
use crate::model::{AtomicKind, Event, EventKind, LockMode, ThreadId, WaitOutcome};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Steps kept before each access, and after the first: more than a report shows, which leaves out what libraries do for
/// themselves.
const KEPT: usize = 16;

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Deed {
    /// The earlier access of the race.
    FirstAccess,
    /// The later one.
    SecondAccess,
    /// The thread begins.
    Start,
    /// The thread ends.
    End,
    /// It creates a thread.
    Create,
    /// It learns that a thread has ended.
    Join,
    /// It takes a lock.
    Lock,
    /// It takes a lock together with others.
    LockShared,
    /// It releases a lock.
    Unlock,
    /// It releases a lock to wait on a condition variable.
    CondvarWait,
    /// It has that lock again.
    CondvarWake,
    /// Atomic load, or a compare-exchange that failed.
    Load,
    /// Atomic store.
    Store,
    /// Atomic read-modify-write.
    Update,
    /// A notification woke it.
    Woken,
    /// It woke others.
    Notify,
    /// It released an object that stands for an order: an annotation, a barrier, a once.
    Release,
    /// It acquired such an object.
    Acquire,
}

impl Deed {
    /// Whether the address is that of a lock.
    #[must_use]
    pub fn is_of_lock(self) -> bool {
        matches!(
            self,
            Deed::Lock | Deed::LockShared | Deed::Unlock | Deed::CondvarWait | Deed::CondvarWake
        )
    }

    /// What came before it can happen before what another thread does.
    #[must_use]
    pub fn releases(self) -> bool {
        matches!(
            self,
            Deed::End
                | Deed::Create
                | Deed::Unlock
                | Deed::CondvarWait
                | Deed::Store
                | Deed::Update
                | Deed::Notify
                | Deed::Release
        )
    }

    /// What another thread did can happen before what comes after it.
    #[must_use]
    pub fn acquires(self) -> bool {
        matches!(
            self,
            Deed::Start
                | Deed::Join
                | Deed::Lock
                | Deed::LockShared
                | Deed::CondvarWake
                | Deed::Load
                | Deed::Update
                | Deed::Woken
                | Deed::Acquire
        )
    }
}

/// One of the steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HistoryStep {
    /// Who.
    pub thread: ThreadId,
    /// What.
    pub did: Deed,
    /// The lock, the atomic, or what else it was done to.
    pub address: Option<u32>,
    /// The name of the lock, if it has one.
    pub name: Option<String>,
    /// The thread that was created or joined.
    pub other: Option<ThreadId>,
    /// Where; that of an access is with the access.
    pub stack: Stack,
    /// So many steps of this thread, since its step before, are left out.
    pub left_out: u64,
}

/// What led to a race.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct History {
    /// In order; both accesses are among them.
    pub steps: Vec<HistoryStep>,
    /// Which of them is what the earlier thread released first after its access, or with it.
    pub released: Option<usize>,
    /// Which of them is what the later thread acquired last before its access, or with it.
    pub acquired: Option<usize>,
}

/// A step and when it was.
#[derive(Clone, Debug)]
struct Logged {
    position: u64,
    /// The thread's steps before it.
    number: u64,
    step: HistoryStep,
}

impl HistoryStep {
    fn new(thread: ThreadId, did: Deed) -> Self {
        HistoryStep {
            thread,
            did,
            address: None,
            name: None,
            other: None,
            stack: Stack::new(),
            left_out: 0,
        }
    }

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
            return Some(of(Deed::Start));
        }
        let acquire = kind.acquires();
        let release = kind.releases();
        match (acquire, release) {
            (_, Some(Release::End)) => return Some(of(Deed::End)),
            (_, Some(Release::Create(child))) => return Some(with(Deed::Create, child)),
            (Some(Acquire::Join(child)), _) => return Some(with(Deed::Join, child)),
            (_, Some(Release::Object(object) | Release::Round(object))) => {
                return Some(at(Deed::Release, object));
            }
            (Some(Acquire::Object(object) | Acquire::Round(object)), _) => {
                return Some(at(Deed::Acquire, object));
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
                LockStep::Take { .. } if condvar => Deed::CondvarWake,
                LockStep::Leave { .. } if condvar => Deed::CondvarWait,
                LockStep::Take { mode, .. } => match mode {
                    LockMode::Exclusive => Deed::Lock,
                    LockMode::Shared => Deed::LockShared,
                },
                LockStep::Leave { .. } => Deed::Unlock,
            };
            return Some(at(did, lock));
        }
        let on = |did, on| match on {
            WokenOn::Futex(addr) => at(did, addr),
            WokenOn::Key(_) => of(did),
        };
        match (kind.touches(), kind.waits()) {
            (Some(touched), _) => match touched.by {
                TouchedBy::Atomic(AtomicKind::Load) => Some(at(Deed::Load, touched.addr)),
                TouchedBy::Atomic(AtomicKind::Store) => Some(at(Deed::Store, touched.addr)),
                TouchedBy::Atomic(AtomicKind::ReadModifyWrite) => {
                    Some(at(Deed::Update, touched.addr))
                }
                _ => None,
            },
            (
                None,
                Some(WaitStep::End {
                    on: what,
                    outcome: WaitOutcome::Woken,
                }),
            ) => Some(on(Deed::Woken, what)),
            (None, Some(WaitStep::Wake { on: what, woken })) if woken > 0 => {
                Some(on(Deed::Notify, what))
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
pub(super) struct StepLog {
    threads: FxHashMap<ThreadId, ThreadLog>,
    /// The others are not followed.
    racing: FxHashSet<ThreadId>,
    /// What happens to a lock by the atomic access at this position.
    word: Option<(u64, HistoryStep)>,
}

/// What an event is to a log.
#[derive(Debug)]
pub(super) struct Entry(Logged);

impl Entry {
    pub(super) fn thread(&self) -> ThreadId {
        self.0.step.thread
    }

    pub(super) fn position(&self) -> u64 {
        self.0.position
    }
}

impl StepLog {
    pub(super) fn new(racing: impl Iterator<Item = ThreadId>) -> Self {
        StepLog {
            threads: FxHashMap::default(),
            racing: racing.collect(),
            word: None,
        }
    }

    /// The step of a racing thread that an event at `position` is; to be added when the event was dealt with.
    pub(super) fn entry(
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
        if step.did == Deed::Start && contexts.created(event.thread).is_none() {
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

    pub(super) fn add(&mut self, Entry(logged): Entry) {
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
pub(super) struct Earlier {
    position: u64,
    before: ThreadLog,
    after: Vec<Logged>,
    released: Option<Logged>,
}

impl Earlier {
    /// The access is made now, at `position`.
    pub(super) fn new(log: &StepLog, thread: ThreadId, position: u64) -> Self {
        Earlier {
            position,
            before: log.of(thread),
            after: Vec::new(),
            released: None,
        }
    }

    /// Takes a step of the thread that is the access or comes after it. False if no more are needed.
    pub(super) fn note(&mut self, Entry(logged): &Entry) -> bool {
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
pub(super) struct Later {
    before: ThreadLog,
    /// The access is an acquire as well.
    acquires: bool,
}

impl Later {
    /// The access comes next, or came after the last step; `with`: it is this step.
    pub(super) fn new(log: &StepLog, thread: ThreadId, with: Option<&Entry>) -> Self {
        Later {
            before: log.of(thread),
            acquires: with.is_some_and(|Entry(logged)| logged.step.did.acquires()),
        }
    }
}

/// Both in one order, with the accesses, the later of which is at `position`.
pub(super) fn history(
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
    steps.push(access(Deed::FirstAccess, first, at, number));
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
    steps.push(access(Deed::SecondAccess, second, position, number));
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
            let access = matches!(step.did, Deed::FirstAccess | Deed::SecondAccess);
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
