//! `grind run --seeds`: the same program under many schedules, on all cores, as one report.

use crate::args::policy::Policy;
use crate::input::seed_io::{SeedIo, SharedInput};
use crate::process::signals;
use crate::process::watch::Watch;
use anyhow::Result;
use grind_runtime::explore::{RunFeedback, SeedRange, Seeds, Task, explore};
use grind_runtime::machine::MachineError;
use grind_runtime::model::{Ending, Strategy};
use grind_runtime::program::Program;
use grind_runtime::report::Report;
use grind_runtime::report::merge::Merge;
use grind_runtime::report::suppress::Suppressions;
use grind_runtime::session::{self, ExitCode, RunOptions};
use indicatif::{ProgressBar, ProgressStyle};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// What to run, and how.
pub(crate) struct Job<'a> {
    pub(crate) program: &'a Program,
    /// The schedule in it does not count.
    pub(crate) options: &'a RunOptions,
    pub(crate) seeds: SeedRange,
    pub(crate) strategy: Strategy,
    pub(crate) jobs: NonZeroUsize,
    /// End at the first finding that makes the command fail.
    pub(crate) fail_fast: bool,
    /// Of each run.
    pub(crate) timeout: Option<Duration>,
    pub(crate) progress: bool,
    /// Makes the report of a run.
    pub(crate) report: &'a (dyn Fn(&session::Outcome<SeedIo>, &RunOptions) -> Report + Sync),
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
    let input = SharedInput::default();
    let bar = progress(job);
    let mut merge = Merge::new();
    let mut code = 0;
    let mut stopped = 0;
    let mut seeds = Seeds::new(job.seeds, job.strategy.clone());
    let cancelled = || signals::came().is_some();
    let one = |task: Task| one(job, &input, &task);
    let run = explore(
        &mut seeds,
        job.jobs,
        &cancelled,
        &one,
        |schedule, one: Shown| {
            let mut report = one.report;
            suppressions.apply(&mut report);
            let any = !report.findings.is_empty();
            merge.add(&schedule, report);
            code = ExitCode::worse(code, one.code);
            stopped += u64::from(one.stopped);
            bar.inc(1);
            bar.set_message(message(merge.report_mut()));
            match any && job.fail_fast && policy.fails(merge.report_mut()) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        },
    );
    bar.finish_and_clear();
    let run = run?;
    let mut report = merge.finish();
    report.warnings.extend(input.warning());
    match (signals::came(), &mut report.schedules) {
        (Some(_), _) => report.limits.push(format!(
            "{run} of {} seeds were run, {stopped} of them not to their ends",
            job.seeds.len()
        )),
        (None, Some(schedules)) => schedules.timed_out = stopped,
        (None, None) => {}
    }
    Ok((report, code))
}

/// Runs one seed, on one of the cores.
fn one(
    job: &Job<'_>,
    input: &SharedInput,
    task: &Task,
) -> Result<(RunFeedback, Shown), MachineError> {
    let mut options = job.options.clone().control(Arc::clone(&task.control));
    options.spec.schedule = task.schedule.clone();
    let watch = Watch::start(Arc::clone(&task.control), job.timeout, false);
    let streams = input.streams(task.number == 0, Arc::clone(&task.control));
    let outcome = session::run(job.program, options.clone(), streams);
    drop(watch);
    let outcome = outcome?;
    let shown = Shown {
        report: (job.report)(&outcome, &options),
        code: outcome.own_exit_code(),
        stopped: outcome.ending == Ending::TimedOut,
    };
    let feedback = RunFeedback {
        schedule: task.schedule.clone(),
        ending: outcome.ending,
        findings: outcome.analysis.diagnoses.len(),
    };
    Ok((feedback, shown))
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
