//! `grind run --seeds`: the same program under many schedules, on all cores.
//!
//! Workers take seeds in ascending order; what they showed is merged in that order, whatever order it comes in, so
//! that the report does not depend on how fast they were. Nobody runs further ahead of the merge than a window, which bounds memory.

use crate::policy_args::Policy;
use crate::seed_io::{SeedIo, SharedInput};
use crate::signals;
use crate::watch::Watch;
use anyhow::Result;
use grind_runtime::host::{self, ExitCode, RunOptions};
use grind_runtime::machine::MachineError;
use grind_runtime::model::{Control, Ending};
use grind_runtime::program::Program;
use grind_runtime::report::Report;
use grind_runtime::report::merge::Merge;
use grind_runtime::report::suppress::Suppressions;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How far ahead of the merge seeds are run.
const WINDOW: u64 = 256;

/// Seeds from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeedRange {
    first: u64,
    last: u64,
}

impl SeedRange {
    /// How many there are; one less if all are.
    fn len(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

impl FromStr for SeedRange {
    type Err = String;

    fn from_str(text: &str) -> Result<SeedRange, String> {
        let number = |text: &str| {
            let parsed = text.trim().parse::<u64>();
            parsed.map_err(|error| format!("`{text}` is not a seed: {error}"))
        };
        let (first, last) = (text.split_once("..")).ok_or("expected A..B or A..=B")?;
        let range = SeedRange {
            first: number(first)?,
            last: match last.strip_prefix('=') {
                Some(last) => number(last)?,
                None => {
                    let end = number(last)?;
                    end.checked_sub(1).ok_or("there is no seed in this range")?
                }
            },
        };
        if range.first > range.last {
            return Err("there is no seed in this range".to_owned());
        }
        Ok(range)
    }
}

/// What to run, and how.
pub(crate) struct Job<'a> {
    pub(crate) program: &'a Program,
    /// The seed in it does not count.
    pub(crate) options: &'a RunOptions,
    pub(crate) seeds: SeedRange,
    pub(crate) jobs: usize,
    /// End at the first finding that makes the command fail.
    pub(crate) fail_fast: bool,
    /// Of each run.
    pub(crate) timeout: Option<Duration>,
    pub(crate) progress: bool,
    /// Makes the report of a run.
    pub(crate) report: &'a (dyn Fn(&host::Outcome<SeedIo>, &RunOptions) -> Report + Sync),
}

/// What one seed showed.
struct Shown {
    report: Report,
    /// The exit code but for its findings.
    code: u8,
    /// It was ended from outside.
    stopped: bool,
}

/// Runs all seeds, until a signal comes. Returns what they showed, and the exit code but for findings.
///
/// # Errors
/// If the program cannot be started.
pub(crate) fn run(
    job: &Job<'_>,
    suppressions: &mut Suppressions,
    policy: &Policy<'_>,
) -> Result<(Report, u8)> {
    let queue = Queue::new(job.seeds);
    let input = SharedInput::default();
    // More workers than seeds, or than the window lets run, would only wait.
    let jobs = (job.seeds.len().min(WINDOW) as usize).min(job.jobs);
    let controls: Vec<Mutex<Arc<Control>>> = (0..jobs).map(|_| Mutex::default()).collect();
    let bar = progress(job);
    let (sender, shown) = mpsc::channel::<(u64, Result<Shown, MachineError>)>();
    let mut merge = Merge::new();
    let mut code = 0;
    let (mut run, mut stopped) = (0, 0);
    let merged: Result<()> = thread::scope(|scope| {
        for control in &controls {
            let (sender, queue, input) = (sender.clone(), &queue, &input);
            scope.spawn(move || work(job, queue, control, input, &sender));
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut next = Some(job.seeds.first);
        let stop = || {
            queue.stop();
            for control in &controls {
                lock(control).request_stop();
            }
        };
        let mut add = |seed, one: Shown| {
            let mut report = one.report;
            suppressions.apply(&mut report);
            let any = !report.findings.is_empty();
            merge.add(seed, report);
            code = worse(code, one.code);
            run += 1;
            stopped += u64::from(one.stopped);
            bar.inc(1);
            bar.set_message(message(merge.report_mut()));
            any && job.fail_fast && policy.fails(merge.report_mut())
        };
        for (seed, one) in &shown {
            waiting.insert(seed, one.inspect_err(|_| stop())?);
            while let Some(seed) = next
                && let Some(one) = waiting.remove(&seed)
            {
                if add(seed, one) {
                    stop();
                    return Ok(());
                }
                next = seed.checked_add(1);
                queue.merged(seed);
            }
        }
        // After a signal, some seeds before these were not run.
        for (seed, one) in waiting {
            add(seed, one);
        }
        Ok(())
    });
    bar.finish_and_clear();
    merged?;
    let mut report = merge.finish();
    report.warnings.extend(input.warning());
    match (signals::came(), &mut report.seeds) {
        (Some(_), _) => report.limits.push(format!(
            "{run} of {} seeds were run, {stopped} of them not to their ends",
            job.seeds.len()
        )),
        (None, Some(seeds)) => seeds.timed_out = stopped,
        (None, None) => {}
    }
    Ok((report, code))
}

/// One of the cores.
fn work(
    job: &Job<'_>,
    queue: &Queue,
    control: &Mutex<Arc<Control>>,
    input: &SharedInput,
    sender: &Sender<(u64, Result<Shown, MachineError>)>,
) {
    // Otherwise the others would wait for this one's seed for ever.
    let _guard = StopOnPanic(queue);
    while let Some(seed) = queue.take() {
        let mut options = RunOptions {
            control: Arc::default(),
            ..job.options.clone()
        };
        options.spec.schedule.seed = seed;
        *lock(control) = Arc::clone(&options.control);
        if queue.stopped() || signals::came().is_some() {
            return;
        }
        let watch = Watch::start(Arc::clone(&options.control), job.timeout, false);
        let control = Arc::clone(&options.control);
        let streams = input.streams(seed == job.seeds.first, control);
        let outcome = host::run(job.program, options.clone(), streams);
        drop(watch);
        let shown = outcome.map(|outcome| Shown {
            report: (job.report)(&outcome, &options),
            code: outcome.own_exit_code(),
            stopped: outcome.ending == Ending::TimedOut,
        });
        // Nobody listens any more after a stop.
        if sender.send((seed, shown)).is_err() {
            return;
        }
    }
}

fn progress(job: &Job<'_>) -> ProgressBar {
    if !job.progress {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:24} {pos}/{len} seeds {eta} left{msg}");
    let bar = ProgressBar::new(job.seeds.len());
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn message(report: &Report) -> String {
    match report.findings.len() {
        0 => String::new(),
        1 => ", 1 finding".to_owned(),
        n => format!(", {n} findings"),
    }
}

/// Of the exit codes of two runs, the one to tell; the first of two that are alike.
fn worse(a: u8, b: u8) -> u8 {
    let rank = |code: u8| match code {
        0 => 0,
        c if c == ExitCode::Trap.code() => 3,
        c if c == ExitCode::Timeout.code() => 2,
        _ => 1,
    };
    if rank(b) > rank(a) { b } else { a }
}

/// Seeds to run.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    last: u64,
}

struct State {
    /// The next to hand out; none if all are.
    next: Option<u64>,
    /// The lowest that is not merged yet.
    unmerged: u64,
    stopped: bool,
}

impl Queue {
    fn new(seeds: SeedRange) -> Queue {
        Queue {
            state: Mutex::new(State {
                next: Some(seeds.first),
                unmerged: seeds.first,
                stopped: false,
            }),
            changed: Condvar::new(),
            last: seeds.last,
        }
    }

    fn take(&self) -> Option<u64> {
        let mut state = lock(&self.state);
        loop {
            if state.stopped || signals::came().is_some() {
                return None;
            }
            let seed = state.next?;
            if seed - state.unmerged < WINDOW {
                state.next = seed.checked_add(1).filter(|next| *next <= self.last);
                return Some(seed);
            }
            state = (self.changed.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn merged(&self, seed: u64) {
        lock(&self.state).unmerged = seed.saturating_add(1);
        self.changed.notify_all();
    }

    fn stop(&self) {
        lock(&self.state).stopped = true;
        self.changed.notify_all();
    }

    fn stopped(&self) -> bool {
        lock(&self.state).stopped
    }
}

struct StopOnPanic<'a>(&'a Queue);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_in_rust() {
        let range = |first, last| Ok(SeedRange { first, last });
        assert_eq!("0..10".parse(), range(0, 9));
        assert_eq!("3..=3".parse(), range(3, 3));
        assert_eq!("7..8".parse(), range(7, 7));
        let all = format!("0..={}", u64::MAX);
        assert_eq!(all.parse(), range(0, u64::MAX));
        for bad in [
            "", "5", "..", "5..5", "6..5", "0..0", "6..=5", "a..b", "1..-2", "..5", "1..2..3",
        ] {
            assert!(bad.parse::<SeedRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn nobody_runs_far_ahead_and_all_seeds_are_taken_once() {
        let queue = Queue::new(SeedRange {
            first: 5,
            last: 5 + WINDOW,
        });
        for seed in 5..5 + WINDOW {
            assert_eq!(queue.take(), Some(seed));
        }
        let taken = thread::scope(|scope| {
            let waits = scope.spawn(|| queue.take());
            queue.merged(5);
            waits.join().expect("it does not panic")
        });
        assert_eq!(taken, Some(5 + WINDOW));
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn a_stop_wakes_those_who_wait() {
        let queue = Queue::new(SeedRange {
            first: 0,
            last: u64::MAX,
        });
        for _ in 0..WINDOW {
            queue.take();
        }
        let taken = thread::scope(|scope| {
            let waits = scope.spawn(|| queue.take());
            queue.stop();
            waits.join().expect("it does not panic")
        });
        assert_eq!(taken, None);
    }

    #[test]
    fn the_worst_exit_code_is_told() {
        for (codes, told) in [
            (&[0, 3, 4][..], 3),
            (&[0, 124, 3], 124),
            (&[124, 134, 0], 134),
            (&[0, 0], 0),
        ] {
            assert_eq!(codes.iter().copied().fold(0, worse), told);
        }
    }
}
