//! Deadlocks: every live thread is blocked and nothing can wake one.
//!
//! **Finds** exactly what the machine reports (it knows all threads and all deadlines), and explains it: who
//! waits for whom, through locks, joins, initialisations, and through what one thread notified, sent or posted before and
//! another waits for now; and which notification came before anybody waited for it.
//!
//! When a run ends in any other way (a time-out, the end of the main thread), threads that ask for locks of each other, or of
//! threads that have ended, are found as well, those that spin included.
//!
//! **Misses** deadlocks of some threads, while others go on, through anything but locks; threads that spin on what is no lock
//! with hooks; and deadlocks that another schedule would have.
//!
//! **Never falsely reports** a deadlock. The circle can be missing where locks have neither hooks nor a word that is
//! known: a thread that waits on a bare futex waits for nobody in particular. It can be wrong if hooks do not tell the
//! truth about who holds what.
//!
//! Who waits for whom: Coffman, Elphick & Shoshani, *System deadlocks* (1971).

use crate::detect::common::context::{Contexts, ThreadContext};
use crate::detect::common::diagnosis::{BlockedThread, Diagnosis, MemoryPlace, Wanted};
use crate::detect::locks::lock_misuse::LockMisuse;
use crate::detect::locks::notifications::Notifications;
use crate::detect::races::happens_before::HappensBefore;
use crate::model::locks::Hook;
use crate::model::{BlockedOn, LockMode, ThreadId, WaitKind};
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Addresses of which a diagnosis says where they are, the lowest ones.
const MOST_PLACES: usize = 64;

/// What a thread has done at least in a function that takes a lock, if it spins there: one that takes a lock which it has
/// already, and may, does far less.
const SPINS: u64 = 1000;

/// What is known when threads block.
#[derive(Clone, Copy)]
pub(in crate::detect) struct Known<'a> {
    pub(in crate::detect) contexts: &'a Contexts,
    pub(in crate::detect) notifications: &'a Notifications,
    /// Knows heap blocks.
    pub(in crate::detect) heap: Option<&'a HappensBefore>,
}

/// For whom a thread waits.
#[derive(Clone, Debug, Default)]
struct Waits {
    /// Nobody else can let it go on: who holds the lock, who initialises, who has to end.
    surely: Vec<ThreadId>,
    /// Those who did before what it waits for. Others may be able to.
    maybe: Vec<ThreadId>,
    /// It waits for the end of a thread.
    joins: bool,
}

type Graph = BTreeMap<ThreadId, Waits>;

/// Explains a deadlock of these threads.
pub(in crate::detect) fn explain(
    known: &Known<'_>,
    blocked: &[(ThreadId, BlockedOn)],
) -> Diagnosis {
    let mut graph = Graph::new();
    let mut threads = Vec::with_capacity(blocked.len());
    let mut addresses = BTreeSet::new();
    for (thread, on) in blocked {
        let (thread, waits) = explain_thread(known, *thread, on, blocked);
        graph.insert(thread.thread, waits);
        addresses.extend(object(&thread));
        addresses.extend(thread.locks.iter().map(|held| held.lock));
        threads.push(thread);
    }
    let missed = threads.iter().any(|thread| thread.missed.is_some());
    Diagnosis::Deadlock {
        cycle: find_cycle(&graph, missed),
        places: addresses
            .into_iter()
            .take(MOST_PLACES)
            .map(|addr| place(known, addr))
            .collect(),
        blocked: threads,
    }
}

/// A deadlock of some threads at the end of a run, of which nothing was told for others went on or they spin: those that ask for
/// locks of each other, or of threads that have ended. A thread that trapped ended all others with it, and so does the main thread's
/// end; that a thread waits for itself is told already where it asked.
pub(in crate::detect) fn stuck(known: &Known<'_>, misuse: &LockMisuse) -> Option<Diagnosis> {
    let contexts = known.contexts;
    let asks = |(thread, context): (ThreadId, &ThreadContext)| {
        let hook = matches!(
            context.hook(),
            Some(Hook::Lock {
                fallible: false,
                ..
            })
        );
        let asks_itself = matches!(context.hook(), Some(Hook::Lock { lock, .. }) if misuse.relocks(thread, *lock));
        let waits = context.waiting().is_some() && (hook || context.wanted().is_some());
        let spins = hook && context.tries() >= SPINS;
        let site = context.waiting().or(context.top())?;
        // The address is that of no word, for it may spin.
        (!context.ended() && !asks_itself && (waits || spins))
            .then_some((thread, BlockedOn::Futex { site, addr: 0 }))
    };
    let mut asking: Vec<_> = contexts.iter().filter_map(asks).collect();
    let ended = |thread| {
        thread != ThreadId(0)
            && contexts.get(thread).is_some_and(ThreadContext::ended)
            && !contexts.has_trapped(thread)
    };
    loop {
        let waits_for_good = |(thread, on): &(ThreadId, BlockedOn)| {
            let (_, waits) = explain_thread(known, *thread, on, &asking);
            let mut blockers = waits.surely.iter();
            blockers.any(|&other| ended(other) || asking.iter().any(|&(asks, _)| asks == other))
        };
        let stay: Vec<_> = asking
            .iter()
            .filter(|one| waits_for_good(one))
            .cloned()
            .collect();
        if stay.len() == asking.len() {
            break;
        }
        asking = stay;
    }
    (!asking.is_empty()).then(|| explain(known, &asking))
}

fn explain_thread(
    known: &Known<'_>,
    thread: ThreadId,
    on: &BlockedOn,
    blocked: &[(ThreadId, BlockedOn)],
) -> (BlockedThread, Waits) {
    let contexts = known.contexts;
    let context = contexts.get(thread);
    let asks = wants(contexts, thread, on);
    let wants = match asks {
        Some((lock, mode)) => {
            let mut holders: Vec<_> = contexts.holders(lock).map(|(holder, _)| holder).collect();
            holders.dedup();
            // Others that hold it as well go on.
            let stands = |holder: &ThreadId| {
                blocked.iter().any(|(thread, _)| thread == holder)
                    || contexts.get(*holder).is_some_and(ThreadContext::ended)
            };
            if holders.iter().any(stands) {
                holders.retain(stands);
            }
            let by_word = context.is_some_and(|context| context.wanted().is_some());
            Some(if holders.is_empty() && by_word {
                Wanted::LockOfUnknown { lock }
            } else {
                Wanted::Lock {
                    lock,
                    name: contexts.lock_name(lock),
                    behind: writers_in_the_way(contexts, thread, lock, mode, blocked),
                    holders,
                }
            })
        }
        None => match context.and_then(|context| context.hook()) {
            Some(&Hook::Wait { condvar, .. }) => Some(Wanted::Condvar { condvar }),
            _ => None,
        },
    };
    let (by, missed) = match (&wants, on) {
        (Some(Wanted::Lock { .. } | Wanted::LockOfUnknown { .. }), _)
        | (_, BlockedOn::Join { .. } | BlockedOn::Key { .. }) => (Vec::new(), None),
        (Some(Wanted::Condvar { condvar }), _) => notified(known.notifications, *condvar),
        (None, BlockedOn::Known { waiting, .. }) if waiting.kind != WaitKind::Condvar => {
            (waiting.by.clone(), None)
        }
        (None, BlockedOn::Futex { addr, .. } | BlockedOn::Known { addr, .. }) => {
            notified(known.notifications, *addr)
        }
    };
    let thread = BlockedThread {
        thread,
        on: on.clone(),
        wants,
        stack: context
            .map(|context| context.stack(context.waiting()))
            .unwrap_or_default(),
        locks: contexts.locks(thread),
        by,
        missed,
    };
    let waits = waits(contexts, &thread, asks);
    (thread, waits)
}

type Missed = Option<(ThreadId, crate::detect::common::diagnosis::Stack)>;

fn notified(notifications: &Notifications, addr: u32) -> (Vec<ThreadId>, Missed) {
    let by = notifications.by(addr).to_vec();
    (by, notifications.missed(addr).cloned())
}

/// For whom an explained thread waits, which asks for this lock.
fn waits(contexts: &Contexts, thread: &BlockedThread, asks: Option<(u32, LockMode)>) -> Waits {
    let surely = |surely: Vec<ThreadId>| Waits {
        surely,
        ..Waits::default()
    };
    match (&thread.wants, &thread.on) {
        (Some(Wanted::Lock { behind, .. }), _) if !behind.is_empty() => surely(behind.clone()),
        (Some(Wanted::Lock { lock, .. } | Wanted::LockOfUnknown { lock }), _) => {
            let shares = asks.is_some_and(|(_, mode)| mode == LockMode::Shared);
            let in_the_way = (contexts.holders(*lock))
                .filter(|(_, held)| !(shares && held.mode == LockMode::Shared));
            surely(in_the_way.map(|(holder, _)| holder).collect())
        }
        (_, BlockedOn::Join { thread }) => Waits {
            joins: true,
            ..surely(vec![*thread])
        },
        (None, BlockedOn::Known { waiting, .. }) if waiting.kind == WaitKind::Once => {
            surely(thread.by.clone())
        }
        _ => Waits {
            maybe: thread.by.clone(),
            ..Waits::default()
        },
    }
}

/// The address of what the thread waits for.
fn object(thread: &BlockedThread) -> Option<u32> {
    match (&thread.wants, &thread.on) {
        (Some(Wanted::Lock { lock, .. } | Wanted::LockOfUnknown { lock }), _) => Some(*lock),
        (Some(Wanted::Condvar { condvar }), _) => Some(*condvar),
        (None, BlockedOn::Known { waiting, .. }) => waiting.object,
        (None, BlockedOn::Futex { addr, .. }) => Some(*addr),
        (None, BlockedOn::Join { .. } | BlockedOn::Key { .. }) => None,
    }
}

/// What an address belongs to, as far as it is known.
fn place(known: &Known<'_>, addr: u32) -> MemoryPlace {
    let block = known.heap.and_then(|heap| heap.block(addr));
    MemoryPlace {
        addr,
        stack_place: known.contexts.stack_place(addr, block.as_ref()),
        block,
    }
}

/// The lock that a blocked thread asks for, if it does.
fn wants(contexts: &Contexts, thread: ThreadId, on: &BlockedOn) -> Option<(u32, LockMode)> {
    let (_, addr) = on.futex()?;
    let context = contexts.get(thread)?;
    let Some(hook) = context.hook() else {
        return context.wanted().map(|wanted| (wanted.lock, wanted.mode));
    };
    match *hook {
        Hook::Lock { lock, mode, .. } => Some((lock, mode)),
        // Notified, and now on its way back into the lock.
        Hook::Wait { condvar, lock, .. } if addr != condvar && addr.wrapping_sub(lock) < 8 => {
            Some((lock, LockMode::Exclusive))
        }
        _ => None,
    }
}

/// The writers that a reader has to wait for although no holder is in its way: those that wait, where locks prefer
/// them.
fn writers_in_the_way(
    contexts: &Contexts,
    thread: ThreadId,
    lock: u32,
    mode: LockMode,
    blocked: &[(ThreadId, BlockedOn)],
) -> Vec<ThreadId> {
    let written = |(_, held): (_, &crate::model::locks::Held)| held.mode == LockMode::Exclusive;
    if mode == LockMode::Exclusive || contexts.holders(lock).any(written) {
        return Vec::new();
    }
    blocked
        .iter()
        .filter(|(other, on)| {
            *other != thread && wants(contexts, *other, on) == Some((lock, LockMode::Exclusive))
        })
        .map(|&(other, _)| other)
        .collect()
}

/// The circle that explains the deadlock; empty if none does.
///
/// The best is one of threads that surely wait for each other. That one who notified before could do so again explains
/// it as well, but not if all that is wrong is a notification that was missed: then the one who gave it may well wait
/// for the end of the one who missed it.
fn find_cycle(graph: &Graph, missed: bool) -> Vec<ThreadId> {
    let edges = |waits: &Waits, maybe: bool| {
        let mut all = waits.surely.clone();
        if maybe {
            all.extend(&waits.maybe);
        }
        all.sort_unstable();
        all.dedup();
        all
    };
    let graph_of = |maybe| {
        (graph.iter())
            .map(|(&thread, waits)| (thread, edges(waits, maybe)))
            .collect()
    };
    let sure = cycle(&graph_of(false));
    if !sure.is_empty() {
        return sure;
    }
    let likely = cycle(&graph_of(true));
    let holds_up =
        |thread| (graph.get(thread)).is_some_and(|waits| !waits.joins && !waits.surely.is_empty());
    if missed && !likely.iter().any(holds_up) {
        return Vec::new();
    }
    likely
}

/// A shortest circle through the lowest thread that is in one; empty if there is none.
fn cycle(waits: &BTreeMap<ThreadId, Vec<ThreadId>>) -> Vec<ThreadId> {
    let mut graph = DiGraph::<ThreadId, ()>::new();
    let mut nodes = BTreeMap::new();
    for (&thread, others) in waits {
        for &thread in std::iter::once(&thread).chain(others) {
            nodes
                .entry(thread)
                .or_insert_with(|| graph.add_node(thread));
        }
    }
    for (thread, others) in waits {
        for other in others {
            graph.add_edge(nodes[thread], nodes[other], ());
        }
    }
    let circles = tarjan_scc(&graph);
    let start = circles
        .into_iter()
        .filter(|circle| circle.len() > 1 || graph.contains_edge(circle[0], circle[0]))
        .filter_map(|circle| circle.into_iter().min_by_key(|&node| graph[node]))
        .min_by_key(|&node| graph[node]);
    start
        .map(|start| shortest_circle(&graph, start, waits, &nodes))
        .unwrap_or_default()
}

fn shortest_circle(
    graph: &DiGraph<ThreadId, ()>,
    start: NodeIndex,
    waits: &BTreeMap<ThreadId, Vec<ThreadId>>,
    nodes: &BTreeMap<ThreadId, NodeIndex>,
) -> Vec<ThreadId> {
    let mut from: BTreeMap<ThreadId, ThreadId> = BTreeMap::new();
    let start = graph[start];
    let mut queue = VecDeque::from([start]);
    while let Some(thread) = queue.pop_front() {
        for &next in waits.get(&thread).into_iter().flatten() {
            debug_assert!(
                nodes.contains_key(&next),
                "every thread waited for is a node"
            );
            if next == start {
                let mut path = vec![thread];
                while path[path.len() - 1] != start {
                    path.push(from[&path[path.len() - 1]]);
                }
                path.reverse();
                return path;
            }
            from.entry(next).or_insert_with(|| {
                queue.push_back(next);
                thread
            });
        }
    }
    Vec::new()
}
