//! Deadlocks: every live thread is blocked and nothing can wake one.
//!
//! **Finds** exactly what the machine reports (it knows all threads and all deadlines), and explains it: who
//! waits for whom, through locks and joins.
//!
//! **Misses** deadlocks of some threads while others go on, and those that another schedule would have.
//!
//! **Never falsely reports** a deadlock. The circle can be missing where locks have neither hooks nor a word that is
//! known: a thread that waits on a bare futex waits for nobody in particular. It can be wrong if hooks do not tell the
//! truth about who holds what.
//!
//! Who waits for whom: Coffman, Elphick & Shoshani, *System deadlocks* (1971).

use super::context::Contexts;
use super::diagnosis::{BlockedThread, Diagnosis, Wanted};
use crate::trace::locks::Hook;
use crate::trace::{BlockedOn, LockMode, ThreadId};
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::{BTreeMap, VecDeque};

/// Explains a deadlock of these threads.
pub(super) fn explain(contexts: &Contexts, blocked: &[(ThreadId, BlockedOn)]) -> Diagnosis {
    let mut waits: BTreeMap<ThreadId, Vec<ThreadId>> = BTreeMap::new();
    let mut threads = Vec::with_capacity(blocked.len());
    for &(thread, on) in blocked {
        let wanted = wants(contexts, thread, on);
        let mut for_whom = match &wanted {
            Some((lock, mode)) => holders_in_the_way(contexts, thread, *lock, *mode, blocked),
            None => match on {
                BlockedOn::Join { thread } => vec![thread],
                BlockedOn::Futex { .. } => Vec::new(),
            },
        };
        for_whom.sort_unstable();
        for_whom.dedup();
        waits.insert(thread, for_whom);
        let context = contexts.get(thread);
        let wants = match wanted {
            Some((lock, _)) => {
                let mut holders: Vec<_> =
                    contexts.holders(lock).map(|(holder, _)| holder).collect();
                holders.dedup();
                let by_word = context.is_some_and(|context| context.wanted().is_some());
                Some(if holders.is_empty() && by_word {
                    Wanted::LockOfUnknown { lock }
                } else {
                    Wanted::Lock {
                        lock,
                        name: contexts.lock_name(lock),
                        holders,
                    }
                })
            }
            None => match context.and_then(|context| context.hook()) {
                Some(&Hook::Wait { condvar, .. }) => Some(Wanted::Condvar { condvar }),
                _ => None,
            },
        };
        threads.push(BlockedThread {
            thread,
            on,
            wants,
            stack: context
                .map(|context| context.stack(context.waiting()))
                .unwrap_or_default(),
            locks: contexts.locks(thread),
        });
    }
    Diagnosis::Deadlock {
        blocked: threads,
        cycle: cycle(&waits),
    }
}

/// The lock that a blocked thread asks for, if it does.
fn wants(contexts: &Contexts, thread: ThreadId, on: BlockedOn) -> Option<(u32, LockMode)> {
    let BlockedOn::Futex { addr, .. } = on else {
        return None;
    };
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

/// Whom a request has to wait for.
fn holders_in_the_way(
    contexts: &Contexts,
    thread: ThreadId,
    lock: u32,
    mode: LockMode,
    blocked: &[(ThreadId, BlockedOn)],
) -> Vec<ThreadId> {
    let conflicting: Vec<_> = contexts
        .holders(lock)
        .filter(|(_, held)| mode == LockMode::Exclusive || held.mode == LockMode::Exclusive)
        .map(|(holder, _)| holder)
        .collect();
    if !conflicting.is_empty() || mode == LockMode::Exclusive {
        return conflicting;
    }
    // A reader that no writer holds up waits for a writer that waits, where locks prefer these.
    blocked
        .iter()
        .filter(|&&(other, on)| {
            other != thread && wants(contexts, other, on) == Some((lock, LockMode::Exclusive))
        })
        .map(|&(other, _)| other)
        .collect()
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
