//! The same program under many schedules, on all cores, as one report: `grind check`, and `grind run --seeds`.

use crate::args::policy::Policy;
use crate::commands::guest::Guest;
use crate::input::seed_io::SharedInput;
use crate::output::say::Shown as _;
use crate::process::signals;
use crate::process::watch::Watch;
use anyhow::{Context, Result};
use grind_runtime::explore::{Explorer, RunFeedback, Task, explore};
use grind_runtime::machine::MachineError;
use grind_runtime::model::Ending;
use grind_runtime::program::Program;
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::Report;
use grind_runtime::report::merge::Merge;
use grind_runtime::report::suppress::Suppressions;
use grind_runtime::session::{self, ExitCode, RunOptions};
use indicatif::{ProgressBar, ProgressStyle};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Time for what began in time to end, at least.
const GRACE: Duration = Duration::from_secs(1);

/// What to run, and how.
pub(crate) struct Job<'a> {
    pub(crate) guest: Guest<'a>,
    pub(crate) program: &'a Program,
    /// The schedule in it does not count.
    pub(crate) options: &'a RunOptions,
    /// How many schedules there are.
    pub(crate) total: u64,
    pub(crate) jobs: NonZeroUsize,
    /// End at the first finding that makes the command fail.
    pub(crate) fail_fast: bool,
    /// Begin none after so much time.
    pub(crate) time: Option<Duration>,
}

/// What one of them showed.
struct Shown {
    report: Report,
    /// The exit code but for its findings.
    code: u8,
    /// It was ended from outside.
    stopped: bool,
}

/// Runs all schedules, until a signal comes or the time is over. Returns what they showed, and the exit code.
///
/// # Errors
/// If the program cannot be started.
pub(crate) fn run(
    job: &Job<'_>,
    explorer: &mut dyn Explorer,
    suppressions: &mut Suppressions,
    policy: &Policy<'_>,
) -> Result<(Report, u8)> {
    let input = SharedInput::default();
    let bar = progress(job);
    let mut merge = Merge::new();
    let mut code = 0;
    let mut stopped = 0;
    // What one run asked, the others need not.
    let symbolizer = Symbolizer::new(Arc::clone(job.program.original()));
    let start = Instant::now();
    let out_of_time = || job.time.is_some_and(|time| start.elapsed() >= time);
    // At least one is run, however little time there is.
    let begun = AtomicBool::new(false);
    let cancelled =
        || signals::came().is_some() || (begun.load(Ordering::Relaxed) && out_of_time());
    let one = |task: Task| {
        begun.store(true, Ordering::Relaxed);
        one(job, start, &symbolizer, &input, &task)
    };
    let run = explore(
        explorer,
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
    let run = run.with_context(|| job.guest.command.module().shown())?;
    let mut report = merge.finish();
    report.warnings.extend(input.warning());
    match (signals::came(), &mut report.schedules) {
        (Some(_), _) => report.limits.push(format!(
            "{run} of {} schedules were run, {stopped} of them not to their ends",
            job.total
        )),
        (None, Some(schedules)) => schedules.timed_out = stopped,
        (None, None) => {}
    }
    let code = policy.exit_code(&mut report, code);
    let code = signals::told(&mut report, true, code);
    Ok((report, code))
}

/// Makes one run, on one of the cores.
fn one(
    job: &Job<'_>,
    start: Instant,
    symbolizer: &Symbolizer,
    input: &SharedInput,
    task: &Task,
) -> Result<(RunFeedback, Shown), MachineError> {
    let mut options = (job.options.clone())
        .control(Arc::clone(&task.control))
        .profile(task.profile);
    options.spec.schedule = task.schedule.clone();
    // One that began in time may end behind it, but not never.
    let rest = (job.time).map(|time| (time + time.max(GRACE)).saturating_sub(start.elapsed()));
    let timeout = job.guest.flags.timeout.into_iter().chain(rest).min();
    let watch = Watch::start(Arc::clone(&task.control), timeout, false);
    let streams = input.streams(task.number == 0, Arc::clone(&task.control));
    let outcome = session::run(job.program, options.clone(), streams);
    drop(watch);
    let mut outcome = outcome?;
    let profile = outcome.profile.take();
    let shown = Shown {
        report: job
            .guest
            .report(job.program, symbolizer, &options, &outcome),
        code: outcome.own_exit_code(),
        stopped: outcome.ending == Ending::TimedOut,
    };
    let feedback = RunFeedback {
        schedule: task.schedule.clone(),
        ending: outcome.ending,
        findings: outcome.analysis.diagnoses.len(),
        profile,
    };
    Ok((feedback, shown))
}

fn progress(job: &Job<'_>) -> ProgressBar {
    if job.guest.flags.report.quiet {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:24} {pos}/{len} schedules, {per_sec}, {eta} left{msg}");
    let bar = ProgressBar::new(job.total);
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
