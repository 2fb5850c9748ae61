//! What a finding is made of: the stacks by which it is told from others, without those that only happen to be there.

use crate::program::symbols::Frame;
use crate::report::finding::{AccessMeans, Blocked, BlockedThread, Evidence, WaitsFor};

/// One of them.
pub(in crate::report) struct Part<'a> {
    /// What was done there.
    pub(in crate::report) what: &'static str,
    pub(in crate::report) stack: &'a [Frame],
}

/// All of them.
pub(in crate::report) fn parts(evidence: &Evidence) -> Vec<Part<'_>> {
    let part = |what, stack| Part { what, stack };
    match evidence {
        Evidence::Race(race) => (race.accesses.iter())
            .map(|access| {
                // The size of the variable tells two of them in one function apart. What a library or the host copies
                // varies.
                let what = match (access.means, access.size) {
                    (AccessMeans::Plain | AccessMeans::Atomic, 1) => "1",
                    (AccessMeans::Plain | AccessMeans::Atomic, 2) => "2",
                    (AccessMeans::Plain | AccessMeans::Atomic, 4) => "4",
                    (AccessMeans::Plain | AccessMeans::Atomic, 8) => "8",
                    (AccessMeans::Plain | AccessMeans::Atomic, 16) => "16",
                    _ => "0",
                };
                part(what, &*access.stack)
            })
            .collect(),
        Evidence::Blocked(blocked) => of_blocked(blocked),
        Evidence::LockOrder(order) => (order.edges.iter())
            .flat_map(|edge| {
                let takes = part("takes", &*edge.taken.stack);
                [takes, part("holds", &edge.held.stack)]
            })
            .collect(),
        Evidence::HeapMisuse(misuse) => std::iter::once(&misuse.access.stack)
            .map(|stack| part("access", &**stack))
            .chain((misuse.heap_block.freed.iter()).map(|freed| part("freed", &freed.stack)))
            .collect(),
        Evidence::Trap(trap) => vec![part("trap", &trap.stack)],
        Evidence::ThreadLeak(leak) => vec![part("created", &leak.stack)],
        Evidence::LockMisuse(misuse) => vec![part("misuse", &misuse.stack)],
        Evidence::HandleMisuse(misuse) => vec![part("misuse", &misuse.stack)],
        Evidence::Note(note) => (std::iter::once(&note.stack))
            .chain(note.related.iter().map(|related| &related.stack))
            .map(|stack| part("misuse", stack))
            .collect(),
    }
}

/// Of threads that will never go on: where those wait that are to blame, and where what they wait for was taken. Which others
/// have come to wait because of it differs from run to run.
fn of_blocked(blocked: &Blocked) -> Vec<Part<'_>> {
    let to_blame = to_blame(blocked);
    let wanted: Vec<u32> = (to_blame.iter())
        .filter_map(|thread| lock_of(&thread.waits_for))
        .collect();
    let taken = (blocked.threads.iter())
        .flat_map(|thread| &thread.locks)
        .filter(|held| wanted.contains(&held.address));
    let waits = to_blame.iter().map(|thread| Part {
        what: "waits",
        stack: &thread.stack,
    });
    waits
        .chain(taken.map(|held| Part {
            what: "holds",
            stack: &held.stack,
        }))
        .collect()
}

/// Those of a cycle; without one, those that wait for locks; without these, the principals.
pub(in crate::report) fn to_blame(blocked: &Blocked) -> Vec<&BlockedThread> {
    if blocked.cycle.is_empty() {
        let waiting = |thread: &&BlockedThread| lock_of(&thread.waits_for).is_some();
        let waiting: Vec<_> = blocked.threads.iter().filter(waiting).collect();
        if !waiting.is_empty() {
            return waiting;
        }
    }
    blocked.principals().collect()
}

/// The lock that is waited for.
pub(in crate::report) fn lock_of(waits_for: &WaitsFor) -> Option<u32> {
    match waits_for {
        WaitsFor::Lock { address, .. } | WaitsFor::LibraryLock { address, .. } => Some(*address),
        _ => None,
    }
}
