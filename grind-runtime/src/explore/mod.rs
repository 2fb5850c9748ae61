//! Many schedules of one program, on all cores.
//!
//! An [`Explorer`] is asked for the next schedule and told what came of each; [`explore`] runs them on as many threads of the
//! host as it is given, and hands the results on.
//!
//! **Order does not depend on speed**: results, and what explorers are told, come in the order in which schedules were given out, whatever
//! order runs end in. So the same explorer gives the same schedules on any number of cores, unless something ends the exploration from
//! outside.
//!
//! **Bounded**: nobody runs further ahead of the results than [`Explorer::lookahead`].

mod queue;
mod reads_from;
mod rotation;
mod seeds;

pub use rotation::Rotation;
pub use seeds::{SeedRange, SeedRangeError, Seeds};

use crate::model::{Control, Ending, Profile, Schedule};
use queue::{Queue, StopOnPanic};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

/// Schedules that were given out and of which nothing came, at most.
const MOST_AHEAD: u64 = 256;

/// Decides which schedules of a program are run. It lives as long as the exploration.
pub trait Explorer: Send {
    /// The next schedule, or `None` if there is none, for good.
    fn next(&mut self) -> Option<Schedule>;

    /// Takes what came of a schedule. They come in the order in which they were given out, and before [`Explorer::next`] gives out the
    /// `n`th, those of the first `n - lookahead`: neither more nor less.
    fn learn(&mut self, feedback: &RunFeedback) {
        let _ = feedback;
    }

    /// How many schedules may have been given out of which nothing came yet; at least 1, and 256 at most. An explorer that needs to know what came of one
    /// before it gives out the next says 1, and is run on one core. It is asked before each, and the answer depends on nothing but what was given
    /// out.
    fn lookahead(&self) -> u64 {
        MOST_AHEAD
    }

    /// Whether it is to be told the [`Profile`] of each run.
    fn profiles(&self) -> bool {
        false
    }
}

/// What came of a run, as far as explorers are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFeedback {
    /// What was run.
    pub schedule: Schedule,
    /// How it ended.
    pub ending: Ending,
    /// Findings, each as often as it was diagnosed apart.
    pub findings: usize,
    /// What it showed of the program, if the explorer [takes that](Explorer::profiles).
    pub profile: Option<Profile>,
}

/// A run that is to be made.
#[derive(Clone, Debug)]
pub struct Task {
    /// Which of the exploration it is, from 0.
    pub number: u64,
    /// Who runs when.
    pub schedule: Schedule,
    /// Whether its [`Profile`] is to be taken.
    pub profile: bool,
    /// The run seen from outside: the exploration stops it by this.
    pub control: Arc<Control>,
}

/// Runs every schedule that the explorer gives out, on so many threads, until `merge` breaks or `cancelled` says so.
///
/// `run` makes a run, on any thread. `merge` gets what it returned, on this thread, in order; after an exploration was cancelled, those that
/// ended without the ones before them as well. Returns how many were merged.
///
/// # Errors
/// The first error of a run, in the order in which they end.
///
/// # Panics
/// If `run` does.
pub fn explore<T: Send, E: Send>(
    explorer: &mut dyn Explorer,
    jobs: NonZeroUsize,
    cancelled: &(dyn Fn() -> bool + Sync),
    run: &(dyn Fn(Task) -> Result<(RunFeedback, T), E> + Sync),
    mut merge: impl FnMut(Schedule, T) -> ControlFlow<()>,
) -> Result<u64, E> {
    let profile = explorer.profiles();
    // More workers than may run would only wait.
    let jobs = jobs.get().min(MOST_AHEAD as usize);
    let queue = Queue::new(explorer, cancelled);
    let controls: Vec<Mutex<Arc<Control>>> = (0..jobs).map(|_| Mutex::default()).collect();
    let (sender, results) = mpsc::channel::<(u64, Result<(RunFeedback, T), E>)>();
    let mut merged = 0;
    thread::scope(|scope| {
        for control in &controls {
            let (sender, queue) = (sender.clone(), &queue);
            scope.spawn(move || {
                // Otherwise the others would wait for this one's run for ever.
                let _guard = StopOnPanic(queue);
                while let Some((number, schedule)) = queue.take() {
                    let task = Task {
                        number,
                        schedule,
                        profile,
                        control: Arc::default(),
                    };
                    *lock(control) = Arc::clone(&task.control);
                    if queue.is_stopped() {
                        return;
                    }
                    // Nobody listens any more after a stop.
                    if sender.send((number, run(task))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let stop = || {
            queue.stop();
            for control in &controls {
                lock(control).request_stop();
            }
        };
        let mut waiting = BTreeMap::new();
        let mut next = 0;
        for (number, result) in &results {
            waiting.insert(number, result.inspect_err(|_| stop())?);
            while let Some((feedback, result)) = waiting.remove(&next) {
                merged += 1;
                next += 1;
                let schedule = feedback.schedule.clone();
                queue.learn(feedback);
                if merge(schedule, result).is_break() {
                    stop();
                    return Ok(());
                }
            }
        }
        // It was cancelled, and some before these were not run.
        for (feedback, result) in waiting.into_values() {
            merged += 1;
            if merge(feedback.schedule, result).is_break() {
                return Ok(());
            }
        }
        Ok(())
    })?;
    queue.finish();
    Ok(merged)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    const JOBS: NonZeroUsize = NonZeroUsize::new(4).expect("not zero");

    fn came_of(task: &Task) -> RunFeedback {
        RunFeedback {
            schedule: task.schedule.clone(),
            ending: Ending::Returned,
            findings: 0,
            profile: None,
        }
    }

    /// Gives out one schedule after the other, and remembers what it was told.
    struct Remembers {
        given: u64,
        told: Vec<u64>,
        lookahead: u64,
    }

    impl Explorer for Remembers {
        fn next(&mut self) -> Option<Schedule> {
            self.given += 1;
            let known = self.given.saturating_sub(self.lookahead).min(100);
            assert_eq!(
                self.told.len() as u64,
                known,
                "it depends on the speed of runs"
            );
            (self.given <= 100).then(|| Schedule::from(self.given - 1))
        }

        fn learn(&mut self, feedback: &RunFeedback) {
            self.told.extend(feedback.schedule.seed());
        }

        fn lookahead(&self) -> u64 {
            self.lookahead
        }
    }

    #[test]
    fn results_come_in_order_and_nobody_runs_far_ahead() {
        for lookahead in [1, 2, 7, 1000] {
            let mut explorer = Remembers {
                given: 0,
                told: Vec::new(),
                lookahead,
            };
            let slow = |task: Task| {
                // Later ones are faster.
                (task.number..100).for_each(|_| thread::yield_now());
                Ok::<_, ()>((came_of(&task), task.number))
            };
            let mut merged = Vec::new();
            let merge = |schedule: Schedule, number| {
                assert_eq!(schedule.seed(), Some(number));
                merged.push(number);
                ControlFlow::Continue(())
            };
            let count = explore(&mut explorer, JOBS, &|| false, &slow, merge);
            assert_eq!(count, Ok(100));
            let all: Vec<u64> = (0..100).collect();
            assert_eq!((&merged, &explorer.told), (&all, &all));
        }
    }

    #[test]
    fn it_ends_where_it_is_told_to() {
        let mut seeds = Seeds::from("0..1000".parse::<SeedRange>().expect("a range"));
        let run = |task: Task| Ok::<_, ()>((came_of(&task), task.number));
        let merge = |_, seed| match seed {
            7 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        assert_eq!(explore(&mut seeds, JOBS, &|| false, &run, merge), Ok(8));
    }

    #[test]
    fn the_first_error_ends_it_and_stops_the_others() {
        let mut seeds = Seeds::from("0..1000".parse::<SeedRange>().expect("a range"));
        let (begun, stopped) = (AtomicU64::new(0), AtomicU64::new(0));
        let run = |task: Task| match task.number {
            2 => {
                // There is one to stop.
                while begun.load(Ordering::Relaxed) == 0 {
                    thread::yield_now();
                }
                Err("no")
            }
            _ => {
                begun.fetch_add(u64::from(task.number > 2), Ordering::Relaxed);
                while !task.control.stop_requested() && task.number > 2 {
                    thread::yield_now();
                }
                stopped.fetch_add(u64::from(task.number > 2), Ordering::Relaxed);
                Ok((came_of(&task), ()))
            }
        };
        let go_on = |_, ()| ControlFlow::Continue(());
        assert_eq!(explore(&mut seeds, JOBS, &|| false, &run, go_on), Err("no"));
        assert!(stopped.into_inner() > 0);
    }

    #[test]
    fn after_it_was_cancelled_what_ended_is_merged() {
        let mut seeds = Seeds::from("0..1000".parse::<SeedRange>().expect("a range"));
        let cancel = AtomicBool::new(false);
        let run = |task: Task| {
            if task.number == 20 {
                cancel.store(true, Ordering::Relaxed);
            }
            Ok::<_, ()>((came_of(&task), task.number))
        };
        let mut merged = Vec::new();
        let merge = |_, number| {
            merged.push(number);
            ControlFlow::Continue(())
        };
        let cancelled = || cancel.load(Ordering::Relaxed);
        let count = explore(&mut seeds, JOBS, &cancelled, &run, merge);
        assert!(count.is_ok_and(|count| (20..40).contains(&count)));
        assert!(merged.is_sorted() && merged.contains(&20));
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_run_that_panics_ends_it() {
        let mut seeds = Seeds::from("0..1000".parse::<SeedRange>().expect("a range"));
        let run = |task: Task| {
            assert!(task.number != 3, "a defect");
            Ok::<_, ()>((came_of(&task), ()))
        };
        let _ = explore(&mut seeds, JOBS, &|| false, &run, |_, ()| {
            ControlFlow::Continue(())
        });
    }
}
