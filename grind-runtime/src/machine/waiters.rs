//! Who waits on which address, or for which key of the embedder. Wake-up is first in, first out, as the threads proposal wants it.

use crate::model::ThreadId;
use std::collections::{BTreeMap, VecDeque};

/// Waiters by what they wait on.
#[derive(Debug)]
pub(super) struct Waiters<K>(BTreeMap<K, VecDeque<ThreadId>>);

impl<K> Default for Waiters<K> {
    fn default() -> Self {
        Waiters(BTreeMap::new())
    }
}

impl<K: Copy + Ord> Waiters<K> {
    pub(super) fn wait(&mut self, on: K, thread: ThreadId) {
        self.0.entry(on).or_default().push_back(thread);
    }

    /// Takes the waiter that has waited longest.
    pub(super) fn wake_one(&mut self, on: K) -> Option<ThreadId> {
        let queue = self.0.get_mut(&on)?;
        let thread = queue.pop_front();
        if queue.is_empty() {
            self.0.remove(&on);
        }
        thread
    }

    /// Removes a waiter whose deadline passed.
    pub(super) fn forget(&mut self, on: K, thread: ThreadId) {
        if let Some(queue) = self.0.get_mut(&on) {
            queue.retain(|&waiter| waiter != thread);
            if queue.is_empty() {
                self.0.remove(&on);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wake_up_is_first_in_first_out_per_address() {
        let mut futexes = Waiters::default();
        futexes.wait(8, ThreadId(1));
        futexes.wait(12, ThreadId(2));
        futexes.wait(8, ThreadId(3));
        futexes.wait(8, ThreadId(4));
        futexes.forget(8, ThreadId(3));
        assert_eq!(futexes.wake_one(8), Some(ThreadId(1)));
        assert_eq!(futexes.wake_one(8), Some(ThreadId(4)));
        assert_eq!(futexes.wake_one(8), None);
        assert_eq!(futexes.wake_one(12), Some(ThreadId(2)));
    }
}
