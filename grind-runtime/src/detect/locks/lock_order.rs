//! Lock-order inversions: locks that threads take in an order that can deadlock, whether or not it did.
//!
//! **Paper.** Havelund, *Using runtime analysis to guide model checking of Java programs* (SPIN 2000), whose
//! algorithm is known as Goodlock; Bensalem & Havelund, *Dynamic deadlock analysis of multi-threaded
//! programs* (PADTAD 2005), for circles of any length and the segments that creation and join of threads
//! make; Agarwal, Wang & Stoller, *Detecting potential deadlocks with static analysis and run-time monitoring*
//! (PADTAD 2005), for gates in such circles.
//!
//! **Finds.** Over the whole run, an edge A → B for every thread that asks for B while it holds A. A circle
//! of edges is reported when, in some schedule, every edge's thread can stand at the asking at once:
//! - all threads are different, since one cannot stand in two places;
//! - no two of them hold the same lock then (a *gate* lets one in at a time, and so does a lock of the circle
//!   that another edge holds as well), unless both hold it shared;
//! - no two are ordered by the creation of threads, by what waits for them, a join or the end of a scope, or by a barrier
//!   ([`fork_join`](crate::detect::clocks::fork_join)): what main did before it created a thread cannot meet what that thread does;
//! - each really waits for the next: not where both hold and ask shared.
//!
//! Attempts that can fail (try, timed) wait for nobody and add no edge to what they ask for; the locks they got
//! are held like others. Taking a lock again that one holds adds none either. A condition variable's
//! wake-up asks for its lock while the thread holds its others. A lock that was destroyed or initialised, or
//! whose memory was allocated again, is another one from then on.
//!
//! **Misses** locks that have neither hooks nor a word that is known; what hidden functions and `annotate::ignore` regions do;
//! orders that this run did not take; circles of more than [`MAX_LENGTH`] locks; readers that block readers because a writer waits
//! between them.
//!
//! **Falsely reports** circles that something else makes impossible: a flag, a channel or a condition
//! variable that lets one thread begin when the other is done. The edges are real; that they can meet is
//! inferred. A circle that did meet is reported as the deadlock it was, and not here.
//!
//! **Bounds.** [`Limits::lock_orders`] edges: when they are used up, those of locks that are gone make room,
//! and then new ones are dropped. [`MAX_WITNESSES`] ways to take an edge (thread, moment, locks held): a new
//! one takes the place of the same thread's, or of one whose thread has ended, or is not kept. At most
//! [`MAX_FRAMES`] frames of their stacks, beyond which edges are dropped. [`MAX_HELD`] locks held, the
//! latest. [`MAX_STEPS`] steps of a search, [`MAX_KEPT`] circles. Whatever is dropped, except for another way to
//! take a known edge, is told by a [`LimitNotice`].
//!
//! **Cost**: nothing while threads hold one lock at a time. Else a look at the edges between the locks held and
//! the one asked for; a search only where an edge is taken in a new way.

use crate::detect::clocks::fork_join::{ForkJoin, Moment};
use crate::detect::common::context::Contexts;
use crate::detect::common::detector::{At, Detector, End, Results};
use crate::detect::common::diagnosis::{
    Diagnosed, Diagnosis, HeldLock, LockOrderEdge, Stack, Wanted,
};
use crate::detect::common::limits::{LimitNotice, Limits};
use crate::model::locks::Held;
use crate::model::meaning::{LockStep, LockToldBy, OfLock};
use crate::model::{Event, EventKind, LockMode, ThreadId};
use petgraph::graphmap::DiGraphMap;
use petgraph::{Incoming, Outgoing};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::collections::{BTreeMap, VecDeque};

/// The longest circle searched for.
const MAX_LENGTH: usize = 8;
/// Ways to take one edge that are kept.
const MAX_WITNESSES: usize = 16;
/// Frames of all stacks kept.
const MAX_FRAMES: usize = 1 << 22;
/// Locks that a thread holds at once and that make edges.
const MAX_HELD: usize = 64;
/// Edges and witnesses looked at in one search.
const MAX_STEPS: usize = 1 << 13;
/// Circles kept.
const MAX_KEPT: usize = 1000;

/// A lock, from its first use to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Lock {
    addr: u32,
    /// Tells apart what had this address one after the other.
    life: u64,
}

/// One way in which an edge was taken.
#[derive(Debug)]
struct Witness {
    thread: ThreadId,
    moment: Moment,
    /// Everything the thread held, the edge's source as well. Ascending.
    held: SmallVec<[(Lock, LockMode); 4]>,
    /// How it held the source, and where it had taken it.
    source: (LockMode, Stack),
    /// How it asked for the target, and where.
    target: (LockMode, Stack),
}

impl Witness {
    /// Whether both threads can be there at once.
    fn meets(&self, other: &Witness) -> bool {
        let exclude = |a: LockMode, b: LockMode| [a, b].contains(&LockMode::Exclusive);
        let gated = self.held.iter().any(|&(lock, mode)| {
            other
                .held
                .iter()
                .any(|&(other, held)| other == lock && exclude(mode, held))
        });
        self.thread != other.thread && !gated && self.moment.concurrent(&other.moment)
    }

    /// Whether it has to wait for `other`, which holds what this asks for.
    fn waits_for(&self, other: &Witness) -> bool {
        [self.target.0, other.source.0].contains(&LockMode::Exclusive)
    }

    fn frames(&self) -> usize {
        self.source.1.len() + self.target.1.len()
    }
}

type Graph = DiGraphMap<Lock, Vec<Witness>, FxBuildHasher>;

/// An edge taken in a new way by a thread that does not have the target yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    thread: ThreadId,
    source: Lock,
    target: Lock,
    witness: usize,
    position: u64,
}

/// See the module.
#[derive(Debug)]
pub(in crate::detect) struct LockOrder {
    order: ForkJoin,
    graph: Graph,
    /// The locks that are, by address.
    locks: BTreeMap<u32, u64>,
    lives: u64,
    /// Whether a lock ended since room was last made.
    stale: bool,
    /// Not searched yet: if the thread never gets the lock, that may be a deadlock.
    asked: Vec<Asked>,
    found: Vec<(u64, Vec<Lock>, Diagnosed)>,
    known: FxHashSet<Vec<Lock>>,
    /// Edges that threads of a deadlock stood at.
    deadlocked: FxHashSet<(Lock, Lock)>,
    frames: usize,
    max_edges: usize,
    dropped: u64,
    cut_short: u64,
}

impl Detector for LockOrder {
    fn event(&mut self, at: &At<'_>) {
        let At {
            contexts,
            event,
            hidden,
            position,
        } = *at;
        self.order.follow(event);
        match event.kind {
            EventKind::Alloc { addr, size } => self.forget(addr, size),
            EventKind::LockDestroy { lock } | EventKind::LockInit { lock } => self.forget(lock, 1),
            _ => {}
        }
        if let Some(of) = event.kind.locks() {
            self.lock_step(contexts, event, of, hidden, position);
        }
    }

    fn deadlock(&mut self, deadlock: &Diagnosis) {
        let Diagnosis::Deadlock { blocked, .. } = deadlock else {
            return;
        };
        for thread in blocked {
            if let Some(Wanted::Lock { lock, .. }) = thread.wants {
                let target = self.lock(lock);
                for held in &thread.locks {
                    let source = self.lock(held.lock);
                    self.deadlocked.insert((source, target));
                }
            }
        }
    }

    fn found_any(&self) -> bool {
        !self.found.is_empty()
    }

    fn finish(self: Box<Self>, end: &End<'_>, results: &mut Results) {
        let (inversions, notices) = self.inversions(end.contexts);
        results.found.extend(inversions);
        results.limits.extend(notices);
    }
}

impl LockOrder {
    pub(in crate::detect) fn new(limits: &Limits) -> Self {
        LockOrder {
            order: ForkJoin::new(limits),
            graph: Graph::default(),
            locks: BTreeMap::new(),
            lives: 0,
            stale: false,
            asked: Vec::new(),
            found: Vec::new(),
            known: FxHashSet::default(),
            deadlocked: FxHashSet::default(),
            frames: 0,
            max_edges: limits.lock_orders,
            dropped: 0,
            cut_short: 0,
        }
    }

    fn lock_step(
        &mut self,
        contexts: &Contexts,
        event: &Event,
        of: OfLock,
        hidden: bool,
        position: u64,
    ) {
        let (thread, lock) = (event.thread, of.lock);
        match (of.step, of.told_by) {
            // Whoever has waited for it asked before, and is found now.
            (LockStep::Take { .. }, LockToldBy::Hooks) if !self.asked.is_empty() => {
                self.search(contexts, Some(thread));
            }
            (LockStep::Take { .. }, LockToldBy::Hooks) => {}
            _ if hidden => {}
            (
                LockStep::Ask {
                    mode,
                    fallible: false,
                },
                _,
            ) => self.request(contexts, event, (lock, mode), position),
            (LockStep::Take { mode, .. }, LockToldBy::Condvar { .. }) => {
                self.ask(contexts, thread, (lock, mode), position);
                self.search(contexts, Some(thread));
            }
            (LockStep::Take { mode, tried }, LockToldBy::Word { .. }) => {
                // Where it had to wait, it asked before.
                let mut held = contexts.held(thread).iter();
                let again = held.any(|held| held.lock == lock && held.count > 1);
                if !tried && !again {
                    self.ask(contexts, thread, (lock, mode), position);
                }
                self.search(contexts, Some(thread));
            }
            _ => {}
        }
    }

    /// Every circle that did not come true, with its position; and what was left out.
    fn inversions(mut self, contexts: &Contexts) -> (Vec<(u64, Diagnosed)>, Vec<LimitNotice>) {
        self.search(contexts, None);
        let mut notices = Vec::new();
        if let Some(cause) = self.order.ended() {
            notices.push(LimitNotice::LockOrderEnded { cause });
        }
        if self.dropped > 0 {
            let (limit, dropped) = (self.max_edges, self.dropped);
            notices.push(LimitNotice::LockOrders { limit, dropped });
        }
        if self.cut_short > 0 {
            let searches = self.cut_short;
            notices.push(LimitNotice::LockOrderSearch { searches });
        }
        let deadlocked = self.deadlocked;
        let came_true = |circle: &[Lock]| {
            let next = circle.iter().cycle().skip(1);
            (circle.iter().zip(next)).all(|(&a, &b)| deadlocked.contains(&(a, b)))
        };
        let found = (self.found.into_iter())
            .filter(|(_, circle, _)| !came_true(circle))
            .map(|(position, _, diagnosed)| (position, diagnosed))
            .collect();
        (found, notices)
    }

    /// The lock at an address.
    fn lock(&mut self, addr: u32) -> Lock {
        let life = *self.locks.entry(addr).or_insert_with(|| {
            self.lives += 1;
            self.lives
        });
        Lock { addr, life }
    }

    /// Whatever was there is no more.
    fn forget(&mut self, addr: u32, len: u32) {
        if self.locks.is_empty() || len == 0 {
            return;
        }
        let last = addr.saturating_add(len - 1);
        let gone: SmallVec<[u32; 4]> = (self.locks.range(addr..=last))
            .map(|(&addr, _)| addr)
            .collect();
        for addr in gone {
            self.locks.remove(&addr);
            self.stale = true;
        }
    }

    /// A thread asks for a lock, which it may have already.
    fn request(
        &mut self,
        contexts: &Contexts,
        event: &Event,
        wanted: (u32, LockMode),
        position: u64,
    ) {
        let held = contexts.held(event.thread);
        if held.iter().all(|held| held.lock != wanted.0) {
            self.ask(contexts, event.thread, wanted, position);
        }
    }

    /// A thread asks for a lock that it does not hold.
    fn ask(
        &mut self,
        contexts: &Contexts,
        thread: ThreadId,
        (wanted, mode): (u32, LockMode),
        position: u64,
    ) {
        let others = contexts.held(thread).iter().rev();
        let others: SmallVec<[&Held; 4]> = others
            .filter(|held| held.lock != wanted)
            .take(MAX_HELD)
            .collect();
        if others.is_empty() {
            return;
        }
        let Some(moment) = self.order.moment(thread) else {
            return;
        };
        let target = self.lock(wanted);
        let mut held: SmallVec<[_; 4]> = (others.iter())
            .map(|held| (self.lock(held.lock), held.mode))
            .collect();
        let sources: SmallVec<[Lock; 4]> = held.iter().map(|&(lock, _)| lock).collect();
        held.sort_unstable();
        for (&source, taken) in sources.iter().zip(others) {
            let known = self.graph.edge_weight(source, target);
            let is_new = |witness: &Witness| {
                witness.thread != thread
                    || !witness.moment.same(&moment)
                    || (witness.source.0, witness.target.0) != (taken.mode, mode)
                    || witness.held != held
            };
            if !known.is_none_or(|known| known.iter().all(is_new)) {
                continue;
            }
            let witness = Witness {
                thread,
                moment: moment.clone(),
                held: held.clone(),
                source: (taken.mode, taken.stack.clone()),
                target: (mode, asked_at(contexts, thread, wanted)),
            };
            if let Some(witness) = self.keep(source, target, witness) {
                self.asked.push(Asked {
                    thread,
                    source,
                    target,
                    witness,
                    position,
                });
            }
        }
    }

    /// Keeps a new witness of an edge, if there is room: its index.
    fn keep(&mut self, source: Lock, target: Lock, new: Witness) -> Option<usize> {
        let is_known = self.graph.contains_edge(source, target);
        if !is_known && self.graph.edge_count() >= self.max_edges {
            self.make_room();
        }
        let full = !is_known && self.graph.edge_count() >= self.max_edges;
        if full || self.frames + new.frames() > MAX_FRAMES {
            self.dropped += 1;
            return None;
        }
        if !is_known {
            self.graph.add_edge(source, target, Vec::new());
        }
        let witnesses = self.graph.edge_weight_mut(source, target)?;
        let index = if witnesses.len() < MAX_WITNESSES {
            witnesses.len()
        } else {
            let order = &self.order;
            (witnesses.iter())
                .position(|old| old.thread == new.thread || order.has_ended(old.thread))?
        };
        self.frames += new.frames();
        if index == witnesses.len() {
            witnesses.push(new);
        } else {
            self.frames -= witnesses[index].frames();
            witnesses[index] = new;
        }
        Some(index)
    }

    /// Forgets the edges of locks that are no more.
    fn make_room(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        let gone: Vec<Lock> = (self.graph.nodes())
            .filter(|lock| self.locks.get(&lock.addr) != Some(&lock.life))
            .collect();
        for lock in gone {
            self.graph.remove_node(lock);
        }
        let witnesses = self.graph.all_edges().flat_map(|(_, _, all)| all);
        self.frames = witnesses.map(Witness::frames).sum();
    }

    /// Searches the circles that the new edges of a thread close, or those of all.
    fn search(&mut self, contexts: &Contexts, thread: Option<ThreadId>) {
        let all = std::mem::take(&mut self.asked);
        let (now, later) =
            (all.into_iter()).partition(|asked| thread.is_none_or(|thread| thread == asked.thread));
        self.asked = later;
        let now: Vec<Asked> = now;
        for asked in now {
            let Some(first) = (self.graph.edge_weight(asked.source, asked.target))
                .and_then(|witnesses| witnesses.get(asked.witness))
            else {
                continue;
            };
            let mut search = Search::new(&self.graph, asked.source);
            if search.distance.contains_key(&asked.target) {
                search.path.push((asked.source, first));
                search.extend(asked.target);
            }
            self.cut_short += u64::from(search.steps == 0);
            for circle in search.found {
                let locks: Vec<Lock> = circle.iter().map(|&(lock, _)| lock).collect();
                if self.known.len() >= MAX_KEPT {
                    self.cut_short += u64::from(!self.known.contains(&locks));
                } else if self.known.insert(locks.clone()) {
                    let diagnosis = diagnose(contexts, &circle);
                    let count = 1;
                    let diagnosed = Diagnosed { diagnosis, count };
                    self.found.push((asked.position, locks, diagnosed));
                }
            }
        }
    }
}

/// A search for circles through one lock.
struct Search<'g> {
    graph: &'g Graph,
    /// Edges to the first lock, from where that is at most [`MAX_LENGTH`].
    distance: FxHashMap<Lock, usize>,
    /// Sources of the edges so far, and who takes them.
    path: Vec<(Lock, &'g Witness)>,
    /// What may still be looked at.
    steps: usize,
    /// Circles, each from its lowest lock on.
    found: Vec<Vec<(Lock, &'g Witness)>>,
}

impl<'g> Search<'g> {
    fn new(graph: &'g Graph, first: Lock) -> Self {
        let mut steps = MAX_STEPS;
        let mut distance = FxHashMap::default();
        distance.insert(first, 0);
        let mut queue = VecDeque::from([first]);
        while let Some(lock) = queue.pop_front() {
            let further = distance[&lock] + 1;
            if further == MAX_LENGTH {
                break;
            }
            for before in graph.neighbors_directed(lock, Incoming) {
                steps = steps.saturating_sub(1);
                if steps > 0 && !distance.contains_key(&before) {
                    distance.insert(before, further);
                    queue.push_back(before);
                }
            }
        }
        Search {
            graph,
            distance,
            path: Vec::new(),
            steps,
            found: Vec::new(),
        }
    }

    /// Goes on from `at`, the target of the path's last edge.
    fn extend(&mut self, at: Lock) {
        let (Some(&(first, begin)), Some(&(_, last))) = (self.path.first(), self.path.last())
        else {
            return;
        };
        for (_, next, witnesses) in self.graph.edges_directed(at, Outgoing) {
            let near = (self.distance.get(&next))
                .is_some_and(|distance| self.path.len() + 1 + distance <= MAX_LENGTH);
            let closes = next == first;
            if !near || (!closes && self.path.iter().any(|&(lock, _)| lock == next)) {
                continue;
            }
            for witness in witnesses {
                self.steps = self.steps.saturating_sub(1);
                if self.steps == 0 {
                    return;
                }
                if !last.waits_for(witness)
                    || !self.path.iter().all(|(_, other)| other.meets(witness))
                {
                    continue;
                }
                self.path.push((at, witness));
                if !closes {
                    self.extend(next);
                } else if witness.waits_for(begin) {
                    let mut circle = self.path.clone();
                    let lowest = (0..circle.len()).min_by_key(|&index| circle[index].0);
                    circle.rotate_left(lowest.unwrap_or(0));
                    self.found.push(circle);
                }
                self.path.pop();
            }
        }
    }
}

/// Where the thread asks for the lock, or asked for it before it was told that it has it.
fn asked_at(contexts: &Contexts, thread: ThreadId, wanted: u32) -> Stack {
    let taken = (contexts.held(thread).iter()).find(|held| held.lock == wanted);
    taken.map_or_else(|| contexts.stack(thread), |held| held.stack.clone())
}

fn diagnose(contexts: &Contexts, circle: &[(Lock, &Witness)]) -> Diagnosis {
    let held = |lock: Lock, (mode, stack): &(LockMode, Stack)| HeldLock {
        lock: lock.addr,
        name: contexts.lock_name(lock.addr),
        mode: *mode,
        stack: stack.clone(),
    };
    let targets = circle.iter().cycle().skip(1);
    let edges = (circle.iter().zip(targets))
        .map(|(&(source, witness), &(target, _))| LockOrderEdge {
            thread: witness.thread,
            held: held(source, &witness.source),
            taken: held(target, &witness.target),
        })
        .collect();
    Diagnosis::LockOrderInversion { edges }
}
