//! A scheduler that leads a run along a plan, and a sink that tells it how far each thread is.
//!
//! A plan counts visible steps, not words: a lock that was waited for in the trace and is free now takes other words
//! to acquire. A thread that cannot go on is passed over; after the plan, threads take turns.

use crate::model::sites::SiteTable;
use crate::model::{Event, EventSink, Flow, Records, Slice, ThreadId};
use crate::predict::translate::{Plan, Tracker};
use crate::schedule::{Point, RoundRobin, Scheduler};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Decisions for a thread that gets no further, until another is let run.
const PATIENCE: u32 = 10_000;
/// Words after which a thread is looked at again, at least and at most. A record can take less than a tenth of a word,
/// where many share an address.
const WORDS: (u64, u64) = (2, 2000);

struct State {
    plan: Plan,
    /// The stretch that is next.
    next: usize,
    steps: Vec<u64>,
    tracker: Tracker,
    sites: Arc<SiteTable>,
    /// After the plan, and where it does not say.
    turns: Box<dyn Scheduler>,
    random: Vec<u64>,
    stuck: u32,
}

/// See the module. The run has one thread of the host, so that nobody ever waits for the lock.
#[derive(Clone)]
pub(super) struct PlanScheduler(Arc<Mutex<State>>);

impl PlanScheduler {
    /// `random` is what the guest gets, in order; then comes that of the seed.
    pub(super) fn new(
        plan: Plan,
        sites: Arc<SiteTable>,
        seed: u64,
        mut random: Vec<u64>,
    ) -> PlanScheduler {
        random.reverse();
        let tracker = Tracker::new(Arc::clone(&plan.locks));
        PlanScheduler(Arc::new(Mutex::new(State {
            plan,
            next: 0,
            steps: Vec::new(),
            tracker,
            sites,
            turns: Box::new(RoundRobin::new(seed)),
            random,
            stuck: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn steps(&self, thread: ThreadId) -> u64 {
        self.steps.get(thread.0 as usize).copied().unwrap_or(0)
    }

    fn decide(&mut self, point: &Point<'_>) -> Slice {
        let stretches = &self.plan.stretches;
        let before = self.next;
        while (stretches.get(self.next)).is_some_and(|&(thread, until)| self.steps(thread) >= until)
        {
            self.next += 1;
        }
        self.stuck = if self.next == before {
            self.stuck + 1
        } else {
            0
        };
        if self.stuck > PATIENCE {
            self.stuck = 0;
            return self.turns.next(point);
        }
        let left = stretches[self.next..].iter();
        let next = (left.take(1 << 10)).find(|&&(thread, until)| {
            point.runnable.contains(&thread) && self.steps(thread) < until
        });
        match next {
            Some(&(thread, until)) => {
                let steps = until - self.steps(thread);
                let words = (steps / 32).clamp(WORDS.0, WORDS.1) as u32;
                Slice { thread, words }
            }
            None => self.turns.next(point),
        }
    }

    fn add(&mut self, thread: ThreadId, steps: u64) {
        let index = thread.0 as usize;
        if index >= self.steps.len() {
            self.steps.resize(index + 1, 0);
        }
        self.steps[index] += steps;
    }
}

impl std::fmt::Debug for PlanScheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlanScheduler")
    }
}

impl Scheduler for PlanScheduler {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        self.state().decide(point)
    }

    fn random(&mut self) -> u64 {
        let mut state = self.state();
        state.random.pop().unwrap_or_else(|| state.turns.random())
    }
}

impl EventSink for PlanScheduler {
    fn records(&mut self, thread: ThreadId, records: Records<'_>) -> Flow {
        let mut state = self.state();
        let sites = Arc::clone(&state.sites);
        let mut steps = 0;
        let accesses = state.plan.accesses;
        state.tracker.records(&sites, thread, records, &mut |_, _| {
            steps += u64::from(accesses);
        });
        state.add(thread, steps);
        Flow::Continue
    }

    fn event(&mut self, event: &Event) -> Flow {
        let mut state = self.state();
        let mut steps = 0;
        state.tracker.event(event, None, &mut |_, _| steps += 1);
        state.add(event.thread, steps);
        Flow::Continue
    }
}
