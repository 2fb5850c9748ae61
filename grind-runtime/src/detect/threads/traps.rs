//! Threads that trapped.
//!
//! **Finds** every `ThreadExit` by a trap, with the message of the panic where a `Panicked` came before. Threads that trap
//! for one reason with one stack are one finding, with a count.
//!
//! **Misses** nothing that the events tell. What a guest catches itself is no trap.
//!
//! **Never falsely reports.**
//!
//! **Cost**: a stack for each thread that traps, at most [`KEPT`] of them, and at most as many findings.

use crate::detect::common::diagnosis::{Diagnosed, Diagnosis, Stack, TrappedThread};
use rustc_hash::FxHashMap;

/// Distinct traps that are kept, and threads that trapped. Others are counted.
pub(in crate::detect) const KEPT: usize = 1000;

/// Every trap, in order.
#[derive(Debug, Default)]
pub(in crate::detect) struct Traps {
    found: Vec<(u64, Diagnosed)>,
    by_place: FxHashMap<(String, Stack), usize>,
    threads: Vec<TrappedThread>,
    dropped: u64,
}

impl Traps {
    pub(in crate::detect) fn add(&mut self, trap: TrappedThread, position: u64) {
        if self.threads.len() < KEPT {
            self.threads.push(trap.clone());
        }
        let place = (trap.reason.clone(), trap.stack.clone());
        if let Some(&known) = self.by_place.get(&place) {
            self.found[known].1.count += 1;
        } else if self.found.len() < KEPT {
            self.by_place.insert(place, self.found.len());
            let diagnosis = Diagnosis::Trap(trap);
            self.found.push((
                position,
                Diagnosed {
                    diagnosis,
                    count: 1,
                },
            ));
        } else {
            self.dropped += 1;
        }
    }

    /// Whether there is none.
    pub(in crate::detect) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Threads that trapped at places beyond those that are kept.
    pub(in crate::detect) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// With the position of the first occurrence, in that order; and the threads.
    pub(in crate::detect) fn into_found(self) -> (Vec<(u64, Diagnosed)>, Vec<TrappedThread>) {
        (self.found, self.threads)
    }
}
