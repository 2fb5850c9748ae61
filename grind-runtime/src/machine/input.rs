//! Threads that wait for standard input, while others run.
//!
//! The host is asked whether there is some, now and then while other threads run, and when none can, it is waited for.
//! Each answer is an input of the run like any other, so that a run that is repeated finds input where it did at first.

use super::io::{Answer, Call, Node};
use super::state::State;
use crate::model::ThreadId;
use std::collections::BTreeSet;

/// Virtual nanoseconds between two questions while other threads run: some milliseconds of the host's time.
const ASK_EVERY: u64 = 100_000;

/// Nanoseconds that the host may wait in one piece. In between, the run can be stopped.
const WAIT: u64 = 20_000_000;

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct InputWaiters {
    threads: BTreeSet<ThreadId>,
    /// Virtual time of the next question.
    ask_at: u64,
}

impl InputWaiters {
    pub(super) fn is_awaited(&self) -> bool {
        !self.threads.is_empty()
    }

    pub(super) fn wait(&mut self, thread: ThreadId) {
        self.threads.insert(thread);
    }

    pub(super) fn forget(&mut self, thread: ThreadId) {
        self.threads.remove(&thread);
    }
}

impl State {
    /// Whether a read of standard input would return. The host may wait for it.
    pub(super) fn has_input(&mut self, nanoseconds: u64) -> bool {
        let node = Node::STDIN;
        let answer = self.io.call(&Call::Poll { node, nanoseconds });
        // A host that cannot tell blocks when it is read from.
        !matches!(answer, Ok(Answer::NotYet))
    }

    /// Asks the host if it is time to.
    pub(super) fn look_for_input(&mut self) {
        let now = self.clock.now();
        if self.input.is_awaited() && now >= self.input.ask_at {
            self.input.ask_at = now.saturating_add(ASK_EVERY);
            if self.has_input(0) {
                self.input_came();
            }
        }
    }

    /// No thread can run: the host waits, and time passes with it, to the next deadline at most.
    pub(super) fn wait_for_input(&mut self) {
        let left = self.clock.next().map(|next| next - self.clock.now());
        let nanoseconds = left.map_or(WAIT, |left| left.min(WAIT));
        if self.has_input(nanoseconds) {
            self.input_came();
        } else {
            self.clock.work(nanoseconds);
        }
    }

    /// Every thread that waited tries again; those that find nothing left will wait again.
    fn input_came(&mut self) {
        for thread in std::mem::take(&mut self.input.threads) {
            self.try_again(thread);
        }
    }
}
