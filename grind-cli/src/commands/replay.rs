//! `grind replay`

use crate::args::config::ConfigArgs;
use crate::args::limits::name_options;
use crate::args::policy::PolicyArgs;
use crate::args::report::{Always, ReportArgs, Stream};
use crate::args::trace::{self, TraceArgs};
use crate::commands::schedule;
use crate::commands::timeline::add_timeline;
use crate::input::trace_file::{self, TraceFile};
use crate::output::quote::quoted;
use crate::output::say::{self, Shown as _};
use crate::process::bound::Bound;
use crate::process::signals;
use crate::process::watch::Watch;
use crate::settings::file::Config;
use anyhow::{Context, Result};
use clap::Args;
use grind_runtime::detect::{AnalysisOptions, Detect};
use grind_runtime::host::Stdio;
use grind_runtime::machine::{HostIo, NullIo};
use grind_runtime::model::{Ending, ThreadId};
use grind_runtime::program::Program;
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::log;
use grind_runtime::session::{self, ExitCode, Observe, Observer, ReplayOptions};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const EXAMPLES: &str = "\
Examples:
  grind replay app.grind                          the same run again, and what is wrong with it
  grind replay --at 120 app.grind                 where every thread is at event 120
  grind replay --thread 2 app.grind               the events of T2
  grind replay --watch 0x11f20+4 app.grind        the accesses to four bytes
  grind replay --trace=full --trace-file full.grind app.grind
                                                  every access, for grind analyze

A run that differs from its trace ends with exit code 65, and names the first event that does.";

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The module [default: the one in the trace, or the one that ran]
    #[arg(long, value_name = "APP.wasm")]
    module: Option<PathBuf>,
    /// Do not look for races
    #[arg(long)]
    no_detect: bool,
    /// End the replay after this much real time (`30s`, `5m`; a bare number is seconds)
    #[arg(long, value_name = "TIME", value_parser = crate::args::values::duration)]
    timeout: Option<Duration>,
    /// Show the stacks of all threads at this event, counted from 1
    #[arg(long, value_name = "EVENT", value_parser = clap::value_parser!(u64).range(1..))]
    at: Option<u64>,
    /// List the events of this thread; with --watch, its accesses only
    #[arg(long, value_name = "T", value_parser = thread)]
    thread: Option<ThreadId>,
    /// List the accesses to this address, or to so many bytes from it
    #[arg(long, value_name = "ADDR[+LEN]", value_parser = range)]
    watch: Option<Range<u64>>,
    /// Write the schedule of the run to a file, for `grind run --schedule`
    #[arg(long, value_name = "PATH")]
    save_schedule: Option<PathBuf>,
    /// Do not fail because the end of the trace is missing
    #[arg(long)]
    allow_truncated: bool,
    #[command(flatten)]
    trace: TraceArgs,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    report: ReportArgs,
    /// The trace
    #[arg(value_name = "TRACE")]
    file: PathBuf,
}

/// `2`, or `T2` as reports have it.
pub(crate) fn thread(text: &str) -> Result<ThreadId, String> {
    let digits = text.strip_prefix('T').unwrap_or(text);
    digits
        .parse()
        .map(ThreadId)
        .map_err(|_| "a thread is a number".to_owned())
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    let (start, len) = text.split_once('+').unwrap_or((text, "1"));
    let range = number(start).and_then(|start| Ok(start..start.saturating_add(number(len)?)));
    match range {
        Ok(range) if range.start < range.end && range.end <= 1 << 32 => Ok(range),
        _ => Err("an address is a number below 2^32, `0x…` in hexadecimal, maybe with `+` and a number of bytes".to_owned()),
    }
}

pub(crate) fn replay(args: &ReplayArgs) -> Result<u8> {
    let config = Config::find(&args.config.file)?;
    let mut suppressions = config.suppressions(&args.config.suppressions)?;
    let policy = args.policy.load()?;
    let read = trace_file::inputs(&args.file, args.module.as_deref());
    let outputs = args.report.open(Stream::Stderr, Always::Printed, &read)?;
    let save = schedule::place(args.save_schedule.as_deref(), &read)?;
    let (file, reader) = TraceFile::open(&args.file, Bound::new(args.timeout))?;
    let program = trace_file::program(&reader, args.module.as_deref())?;
    let header = reader.header().clone();
    let module = trace_file::module(&header, args.module.as_deref());
    let _orderly = signals::orderly();
    let record = args
        .trace
        .begin(&program, &module, header.clone(), &[&args.file, &module])?;
    drop(reader);
    let observe = Observe {
        at: args.at,
        thread: args.thread,
        watch: args.watch.clone(),
    };
    let observing = observe != Observe::default();
    let options = ReplayOptions::default()
        .analysis(
            AnalysisOptions::default().detect(if args.no_detect || observing {
                Detect::None
            } else {
                Detect::HappensBefore
            }),
        )
        .observe(observing.then_some(observe))
        .record(record);
    // A listing has standard output to itself.
    let echo: Box<dyn HostIo> = match observing {
        true => Box::new(NullIo),
        false => Box::new(Stdio::inherit()),
    };
    let watch = Watch::start(
        Arc::clone(&options.control),
        args.timeout,
        !args.report.quiet,
    );
    let replayed = session::replay(&program, || file.whole(), options, echo);
    drop(watch);
    let replayed = replayed.with_context(|| args.file.shown())?;
    if let Some(place) = save {
        schedule::save(place, &program, replayed.outcome.decisions.as_deref())?;
    }
    if let Some(observer) = &replayed.observed {
        list(&program, observer)?;
    }
    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    let mut report = replayed.report(&program, &symbolizer);
    let limits = &replayed.options.spec.limits;
    name_options(&mut report, &replayed.outcome.limits_reached, limits);
    report.program.module = module.display().to_string();
    report.program.arguments = (header.spec.args.iter().skip(1))
        .map(|arg| String::from_utf8_lossy(arg).into_owned())
        .collect();
    report.reproduce = Some(quoted(&["grind", "replay"], file.path()));
    suppressions.apply(&mut report);
    let otherwise = match replayed.own_exit_code() {
        code if code == ExitCode::Truncated.code() && args.allow_truncated => 0,
        code => code,
    };
    let code = policy.exit_code(&mut report, otherwise);
    let stopped = replayed.outcome.ending == Ending::TimedOut;
    let code = signals::told(&mut report, stopped, code);
    if let Some(trace) = replayed.record {
        match replayed.truncated {
            true => trace::finish_truncated(trace)?,
            false => {
                trace::finish(trace, &replayed.outcome.footer(code, report.findings.len()))?;
            }
        }
    }
    if observing {
        let truncated = otherwise == ExitCode::Truncated.code();
        return Ok(if truncated { otherwise } else { 0 });
    }
    let bound = Bound::finishing(args.timeout);
    add_timeline(&mut report, &args.report, &args.file, &program, bound)?;
    outputs.write(report)?;
    Ok(code)
}

/// What was looked at, as a listing.
fn list(program: &Program, observer: &Observer) -> Result<()> {
    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    let mut text = String::new();
    for seen in observer.found() {
        let what = log::one_line(&seen.what.to_string());
        text.push_str(&format!("#{} {} {what}\n", seen.event, seen.thread));
        for frame in seen
            .stack
            .iter()
            .flat_map(|&site| symbolizer.frames(program.sites().get(site)))
        {
            let frame = log::one_line(&frame.to_string());
            text.push_str(&format!("    at {frame}\n"));
        }
    }
    if observer.found().is_empty() {
        text.push_str("nothing of that in this run\n");
    }
    if observer.left_out() > 0 {
        text.push_str(&format!("and {} more\n", observer.left_out()));
    }
    say::out(&text)
}
