//! Rounds of barriers: which threads meet.
//!
//! A barrier is used again and again. Who leaves a round has met those who came to that round, and nobody who came to a
//! later one, even where it leaves so late that others have come again. The first thread to leave ends a round: whoever comes after
//! that comes to the next. Where more threads come than the barrier waits for, all of them count as one round.
//!
//! A barrier, and a round of it, is remembered while a thread is in it: at most one per thread.

use crate::model::ThreadId;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// A barrier that threads wait at.
#[derive(Debug)]
struct Barrier<T> {
    /// To which the next to come will come.
    round: u64,
    /// Those that threads are in: who leaves late may be overtaken by whole rounds.
    rounds: BTreeMap<u64, Round<T>>,
}

impl<T> Default for Barrier<T> {
    fn default() -> Self {
        Barrier {
            round: 0,
            rounds: BTreeMap::new(),
        }
    }
}

#[derive(Debug, Default)]
struct Round<T> {
    /// How many came and have not left.
    inside: u32,
    /// What they brought.
    brought: T,
}

/// All barriers, with what the threads of a round bring to it.
#[derive(Debug)]
pub(crate) struct Rounds<T> {
    barriers: FxHashMap<u32, Barrier<T>>,
    /// The barrier each thread is in, and its round.
    inside: FxHashMap<ThreadId, (u32, u64)>,
}

impl<T> Default for Rounds<T> {
    fn default() -> Self {
        Rounds {
            barriers: FxHashMap::default(),
            inside: FxHashMap::default(),
        }
    }
}

impl<T: Default> Rounds<T> {
    /// A thread comes to a barrier. Returns what the threads of its round have brought so far.
    pub(crate) fn arrive(&mut self, thread: ThreadId, barrier: u32) -> &mut T {
        let state = self.barriers.entry(barrier).or_default();
        self.inside.insert(thread, (barrier, state.round));
        let round = state.rounds.entry(state.round).or_default();
        round.inside += 1;
        &mut round.brought
    }

    /// A thread leaves a barrier: `meet` sees what the threads of its round brought. Nothing happens if it did not come.
    pub(crate) fn leave(&mut self, thread: ThreadId, barrier: u32, meet: impl FnOnce(&T)) {
        let Some((at, round)) = self.inside.remove(&thread) else {
            return;
        };
        let Some(state) = self.barriers.get_mut(&at) else {
            return;
        };
        // After the first to leave, whoever comes does so to the next one.
        state.round = state.round.max(round + 1);
        if let Some(met) = state.rounds.get_mut(&round) {
            if at == barrier {
                meet(&met.brought);
            }
            met.inside -= 1;
            if met.inside == 0 {
                state.rounds.remove(&round);
            }
        }
        if state.rounds.is_empty() {
            self.barriers.remove(&at);
        }
    }

    /// Barriers that threads are in.
    pub(crate) fn len(&self) -> usize {
        self.barriers.len()
    }
}
