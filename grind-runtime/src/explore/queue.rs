//! Schedules to run, as the explorer gives them out.

use super::{Explorer, MOST_AHEAD, RunFeedback, lock};
use crate::model::Schedule;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

pub(super) struct Queue<'a> {
    state: Mutex<State<'a>>,
    changed: Condvar,
    cancelled: &'a (dyn Fn() -> bool + Sync),
}

struct State<'a> {
    explorer: &'a mut dyn Explorer,
    given: u64,
    /// Of how many of them the explorer was told what came.
    told: u64,
    /// What it will be told next.
    feedback: VecDeque<RunFeedback>,
    /// It gives out no more.
    exhausted: bool,
    stopped: bool,
}

impl State<'_> {
    /// Tells the explorer what came of so many.
    fn tell(&mut self, count: u64) {
        while self.told < count
            && let Some(feedback) = self.feedback.pop_front()
        {
            self.explorer.learn(&feedback);
            self.told += 1;
        }
    }
}

impl<'a> Queue<'a> {
    pub(super) fn new(
        explorer: &'a mut dyn Explorer,
        cancelled: &'a (dyn Fn() -> bool + Sync),
    ) -> Queue<'a> {
        Queue {
            state: Mutex::new(State {
                explorer,
                given: 0,
                told: 0,
                feedback: VecDeque::new(),
                exhausted: false,
                stopped: false,
            }),
            changed: Condvar::new(),
            cancelled,
        }
    }

    /// The next schedule and its number; waits until nobody is too far ahead.
    pub(super) fn take(&self) -> Option<(u64, Schedule)> {
        let mut state = lock(&self.state);
        while !state.exhausted && !state.stopped && !(self.cancelled)() {
            let (number, lookahead) =
                (state.given, state.explorer.lookahead().clamp(1, MOST_AHEAD));
            // No more than this, however much is known by now: else what it gives out would depend on how fast runs are.
            state.tell((number + 1).saturating_sub(lookahead));
            if number - state.told < lookahead {
                if let Some(schedule) = state.explorer.next() {
                    state.given += 1;
                    return Some((number, schedule));
                }
                state.exhausted = true;
            } else {
                state = (self.changed.wait(state)).unwrap_or_else(PoisonError::into_inner);
            }
        }
        // Whoever waits has to see that as well.
        self.changed.notify_all();
        None
    }

    /// What came of the next one.
    pub(super) fn learn(&self, feedback: RunFeedback) {
        lock(&self.state).feedback.push_back(feedback);
        self.changed.notify_all();
    }

    /// Tells the explorer what it was not told yet.
    pub(super) fn finish(&self) {
        lock(&self.state).tell(u64::MAX);
    }

    /// No run is to begin any more.
    pub(super) fn stop(&self) {
        lock(&self.state).stopped = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopped(&self) -> bool {
        lock(&self.state).stopped || (self.cancelled)()
    }
}

/// Stops the others if this thread panics.
pub(super) struct StopOnPanic<'a, 'b>(pub(super) &'a Queue<'b>);

impl Drop for StopOnPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}
