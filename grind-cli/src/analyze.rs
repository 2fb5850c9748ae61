//! `grind analyze`

use crate::bound::Bound;
use crate::config::{Config, ConfigArgs};
use crate::error::WrongModule;
use crate::policy_args::PolicyArgs;
use crate::quote::quoted;
use crate::report_args::{Always, ReportArgs, Stream};
use crate::say::Shown as _;
use crate::signals;
use crate::trace_file::{self, TraceFile};
use crate::watch::{self, Watch};
use crate::{memory, recording};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use grind_runtime::analysis::{AnalysisOptions, Detect, Diagnosed};
use grind_runtime::host::{self, ExitCode, Outcome, ReplayOptions, TraceOutput};
use grind_runtime::machine::{Control, Ending, NullIo};
use grind_runtime::offline::{self, Analysis, Analyzed, Bounds, Observed, Progress};
use grind_runtime::program::Program;
use grind_runtime::program::sites::SiteTable;
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::finding::{Prediction, PredictionStatus};
use grind_runtime::report::{Command, Finding, Report};
use grind_runtime::trace::file::{Detail, Header, TraceWriter};
use indicatif::{HumanBytes, HumanCount, ProgressBar};
use std::fs::{self, File};
use std::io::BufWriter;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

pub(crate) const EXAMPLES: &str = "\
Examples:
  grind run --trace=full --trace-file app.grind app.wasm
  grind analyze app.grind                       every analysis that proves what it says
  grind analyze --analysis syncp,osr app.grind  these
  grind analyze --confirm app.grind             and run the program into what they predict
  grind analyze --time 60s --memory 2GiB app.grind

What the recorded run showed is listed as observed, what other schedules would have shown as predicted. A light trace is
replayed for its accesses; else the trace is read, not run. Exit code 66 says that there is something of either.";

#[derive(Debug, Args)]
pub(crate) struct AnalyzeArgs {
    /// What to look for; several with commas [default: all but lockset, which only hints]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    analysis: Vec<AnalysisName>,
    /// The module, for names and lines [default: the one in the trace, or the one that ran]
    #[arg(long, value_name = "APP.wasm")]
    module: Option<PathBuf>,
    /// Stop reading, and confirming, after this much time, and report what was found until then
    #[arg(long, visible_alias = "timeout", value_name = "TIME", value_parser = crate::cli::duration)]
    time: Option<Duration>,
    /// Remember about this much of the trace, and leave out the analyses that need more [default: a quarter of the memory]
    #[arg(long, value_name = "SIZE", value_parser = crate::cli::size)]
    memory: Option<u64>,
    /// Do not fail because the end of the trace is missing
    #[arg(long)]
    allow_truncated: bool,
    /// Run the program once for each prediction, led to where it should show, and keep the traces of those that did
    #[arg(long)]
    confirm: bool,
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

#[derive(Clone, Copy, Debug)]
struct AnalysisName(Analysis);

impl ValueEnum for AnalysisName {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: [AnalysisName; Analysis::ALL.len()] = {
            let mut all = [AnalysisName(Analysis::Hb); Analysis::ALL.len()];
            let mut index = 0;
            while index < all.len() {
                all[index] = AnalysisName(Analysis::ALL[index]);
                index += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()).help(self.0.about()))
    }
}

pub(crate) fn analyze(args: &AnalyzeArgs) -> Result<u8> {
    let config = Config::load(&args.config.file)?;
    let mut suppressions = config.suppressions(&args.config.suppressions)?;
    let policy = args.policy.load()?;
    let read = trace_file::inputs(&args.file, args.module.as_deref());
    let outputs = args.report.open(Stream::Stderr, Always::Printed, &read)?;
    let bound = Bound::new(args.time);
    let (file, reader) = TraceFile::open(&args.file, bound)?;
    let _orderly = signals::orderly();
    let mut wanted: Vec<Analysis> = args.analysis.iter().map(|name| name.0).collect();
    if wanted.is_empty() {
        wanted.extend(Analysis::ALL.into_iter().filter(|one| one.is_sound()));
    }
    let module = trace_file::module(reader.header(), args.module.as_deref());
    let program = match trace_file::program(&reader, args.module.as_deref()) {
        Ok(program) if program.sites() != reader.sites() => {
            let text = format!("{} is not the module of the trace", module.shown());
            return Err(WrongModule(text).into());
        }
        Ok(program) => Some(program),
        Err(error) if args.module.is_some() || args.confirm => return Err(error),
        // An imported trace has none.
        Err(_) => None,
    };
    let symbols = match &program {
        Some(program) => Arc::clone(program.original()),
        None => Arc::from(&b"\0asm\x01\0\0\0"[..]),
    };
    let sites = Arc::clone(reader.sites());
    let light = reader.header().detail == Detail::Light;
    drop(reader);

    let bounds = Bounds {
        memory: Some(args.memory.unwrap_or_else(memory::quarter)),
        control: Arc::default(),
    };
    let watch = Watch::start(Arc::clone(&bounds.control), args.time, false);
    let named = file.path().to_path_buf();
    let context = || named.shown();
    let mut notes = Vec::new();
    let full = match (&program, light) {
        (Some(program), true) => Some(replayed(program, &file, args.time).with_context(context)?),
        (None, true) if args.analysis.is_empty() => {
            wanted = vec![Analysis::Deadlock];
            let text = "the trace has no accesses, and its module is not there to replay it: races were not looked for";
            notes.push(text.to_owned());
            None
        }
        _ => None,
    };
    let file = full
        .as_ref()
        .map_or(file, |full| TraceFile::at(full.path(), bound));
    let mut pace = Pace::new(args, &bounds, file.len());
    let observed = offline::observe(|| file.whole(), &bounds, |now| pace.progress(now));
    let mut observed = observed.with_context(context)?;
    let analyzed = offline::analyze(|| file.whole(), &wanted, &bounds, |now| pace.progress(now));
    let mut analyzed = analyzed.with_context(context)?;
    pace.finish();
    observed.claim(&mut analyzed);
    let confirmed = match program.filter(|_| args.confirm) {
        Some(program) => {
            let confirmed = confirm(&program, (&file, &named), &analyzed, &bounds)?;
            if confirmed.untried > 0 {
                notes.push(format!(
                    "{} of {} predictions were not tried: for want of time, or memory",
                    confirmed.untried,
                    analyzed.predicted.len()
                ));
            }
            confirmed.traces
        }
        None => vec![None; analyzed.predicted.len()],
    };
    drop(watch);
    let symbolizer = Symbolizer::new(symbols);
    let truncated = observed.truncated || analyzed.truncated;
    let trapped = !observed.analysis.traps.is_empty();
    summary(&observed, &analyzed)?;
    let mut report = Report {
        command: Command::Analyze,
        ..Report::default()
    };
    report.program.module = module.display().to_string();
    report.reproduce = Some(quoted(&["grind", "analyze"], &named));
    limits(&mut report, &observed, &analyzed, &bounds);
    report.limits.extend(notes);
    add_observed(&mut report, observed, &sites, &symbolizer);
    add_predicted(&mut report, &analyzed, &confirmed, &sites, &symbolizer);
    // One of each finding is enough.
    for trace in confirmed.iter().flatten() {
        let replay = quoted(&["grind", "replay"], trace);
        let shown = |finding: &Finding| {
            let prediction = finding.prediction.as_ref();
            prediction.and_then(|prediction| prediction.replay.as_ref()) == Some(&replay)
        };
        if !report.findings.iter().any(shown) {
            fs::remove_file(trace).with_context(|| trace.shown())?;
        }
    }
    suppressions.apply(&mut report);
    let otherwise = match (trapped, truncated && !args.allow_truncated) {
        (true, _) => ExitCode::Trap.code(),
        (false, true) => ExitCode::Truncated.code(),
        (false, false) => 0,
    };
    let code = policy.exit_code(&mut report, otherwise);
    let code = signals::told(&mut report, false, code);
    outputs.write(report)?;
    Ok(code)
}

/// A full trace of the run of a light one, in a file that lives as long as the result.
fn replayed(program: &Program, file: &TraceFile, time: Option<Duration>) -> Result<NamedTempFile> {
    let full = NamedTempFile::new().context("there is no place for the accesses of the trace")?;
    let header = Header {
        detail: Detail::Full,
        ..file.whole()?.header().clone()
    };
    let out: TraceOutput = Box::new(BufWriter::new(full.reopen()?));
    let options = ReplayOptions {
        analysis: AnalysisOptions {
            detect: Detect::None,
            ..AnalysisOptions::default()
        },
        record: Some(TraceWriter::create(out, &header, program.sites(), None)?),
        control: Arc::default(),
        ..ReplayOptions::default()
    };
    // The end of the trace stops the run by its control, and nothing else.
    let watch = Watch::start(Arc::clone(&options.control), time, false);
    let replayed = host::replay(program, || file.whole(), options, Box::new(NullIo));
    drop(watch);
    let replayed = replayed?;
    if let Some(trace) = replayed.record {
        match replayed.truncated {
            // It ends where the light one does.
            true => recording::finish_truncated(trace)?,
            false => recording::finish(trace, &replayed.outcome.footer(0, 0))?,
        }
    }
    Ok(full)
}

/// Shows how far it is, and ends it in time.
struct Pace {
    bar: Option<ProgressBar>,
    control: Arc<Control>,
    start: Instant,
    time: Option<Duration>,
    /// When the reading that goes on began, and which it is.
    reading: (u8, Instant),
    /// Seconds per byte of the first reading: the last one takes about as long.
    per_byte: f64,
    /// When it was asked to stop.
    stopped: Option<Instant>,
}

/// Time to take the stacks of what was found, when it is asked to stop.
const GRACE: Duration = Duration::from_millis(700);

impl Pace {
    fn new(args: &AnalyzeArgs, bounds: &Bounds, len: u64) -> Pace {
        let now = Instant::now();
        Pace {
            bar: (!args.report.quiet).then(|| watch::bytes(len)).flatten(),
            control: Arc::clone(&bounds.control),
            start: now,
            time: args.time,
            reading: (0, now),
            per_byte: 0.0,
            stopped: None,
        }
    }

    fn progress(&mut self, now: Progress) -> ControlFlow<()> {
        if let Some(bar) = &self.bar {
            bar.set_position(now.position);
        }
        if now.reading != self.reading.0 {
            self.reading = (now.reading, Instant::now());
        }
        let position = now.position as f64;
        let enough = match now.reading {
            1 => {
                self.per_byte = self.reading.1.elapsed().as_secs_f64() / position.max(1.0);
                false
            }
            // What is left has to do for the stacks.
            2 => self.time.is_some_and(|time| {
                let left = time.saturating_sub(self.start.elapsed());
                left.as_secs_f64() < position * self.per_byte
            }),
            3 if self.control.stop_requested() => {
                self.stopped.get_or_insert_with(Instant::now).elapsed() > GRACE
            }
            _ => false,
        };
        match enough {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Traces of the runs that showed predictions.
struct Confirmed {
    /// By prediction.
    traces: Vec<Option<PathBuf>>,
    untried: usize,
}

/// Runs the program for each prediction. The traces of runs that showed theirs are kept beside the one that was
/// analysed.
fn confirm(
    program: &Program,
    (file, beside): (&TraceFile, &Path),
    analyzed: &Analyzed,
    bounds: &Bounds,
) -> Result<Confirmed> {
    let path = |index: usize| beside.with_extension(format!("confirmed-{}.grind", index + 1));
    let confirmed = host::confirm(
        program,
        || file.whole(),
        &analyzed.predicted,
        bounds,
        |index| Ok(Box::new(BufWriter::new(File::create(path(index))?)) as TraceOutput),
        |index, keep| {
            if keep {
                Ok(())
            } else {
                fs::remove_file(path(index))
            }
        },
    );
    let confirmed = confirmed.with_context(|| beside.shown())?;
    let traces = (0..).zip(confirmed.happened);
    Ok(Confirmed {
        traces: traces
            .map(|(index, happened)| happened.then(|| path(index)))
            .collect(),
        untried: confirmed.untried,
    })
}

/// Adds what the recorded run showed.
fn add_observed(
    report: &mut Report,
    mut observed: Observed,
    sites: &SiteTable,
    symbolizer: &Symbolizer,
) {
    let predicted_by = std::mem::take(&mut observed.predicted_by);
    let ending = observed.ending.clone();
    let outcome = Outcome::from(observed);
    if matches!(ending, Some(Ending::Trapped | Ending::Deadlock)) {
        report.exit = Some(outcome.guest_exit(sites, symbolizer));
    }
    let analysis = &outcome.analysis;
    for (diagnosed, analyses) in analysis.diagnoses.iter().zip(predicted_by) {
        let mut finding = Finding::from_diagnosis(diagnosed, sites, symbolizer, &analysis.threads);
        finding.prediction = Some(Prediction {
            analyses: names(&analyses),
            status: PredictionStatus::Observed,
            replay: None,
        });
        report.add(finding);
    }
}

fn names(analyses: &[Analysis]) -> Vec<String> {
    (analyses.iter())
        .map(|analysis| analysis.name().to_owned())
        .collect()
}

/// Adds what was predicted, unless it is at the same lines as something that was observed.
fn add_predicted(
    report: &mut Report,
    analyzed: &Analyzed,
    confirmed: &[Option<PathBuf>],
    sites: &SiteTable,
    symbolizer: &Symbolizer,
) {
    for (predicted, confirmed) in analyzed.predicted.iter().zip(confirmed) {
        let diagnosed = Diagnosed {
            diagnosis: predicted.diagnosis.clone(),
            count: predicted.count,
        };
        let threads = &analyzed.threads;
        let mut finding = Finding::from_diagnosis(&diagnosed, sites, symbolizer, threads);
        let mut findings = report.findings.iter_mut();
        if let Some(known) = findings.find(|known| known.is_same_as(&finding))
            && let Some(prediction) = &mut known.prediction
            && prediction.status == PredictionStatus::Observed
        {
            let new = names(&predicted.analyses).into_iter();
            let new: Vec<String> = new
                .filter(|name| !prediction.analyses.contains(name))
                .collect();
            prediction.analyses.extend(new);
            let place = |name: &String| Analysis::ALL.iter().position(|one| one.name() == name);
            prediction.analyses.sort_by_key(place);
            continue;
        }
        let sound = predicted
            .analyses
            .iter()
            .any(|analysis| analysis.is_sound());
        finding.prediction = Some(Prediction {
            analyses: names(&predicted.analyses),
            status: match (confirmed, sound) {
                (Some(_), _) => PredictionStatus::Confirmed,
                (None, true) => PredictionStatus::Predicted,
                (None, false) => PredictionStatus::Hint,
            },
            replay: confirmed
                .as_ref()
                .map(|trace| quoted(&["grind", "replay"], trace)),
        });
        report.add(finding);
    }
}

/// Notes what the report lacks.
fn limits(report: &mut Report, observed: &Observed, analyzed: &Analyzed, bounds: &Bounds) {
    let most = HumanBytes(bounds.memory.unwrap_or_default());
    if let Some(event) = observed.until {
        let why = match bounds.control.stop_requested() {
            true => "the reading was stopped there".to_owned(),
            false => format!("more than {most} was needed (--memory)"),
        };
        report.limits.push(format!(
            "what the recorded run showed after event {event} is not known: {why}"
        ));
    }
    let notices = observed.analysis.limits.iter().map(ToString::to_string);
    report.limits.extend(notices);
    for (analysis, _, left_out) in &analyzed.totals {
        if *left_out > 0 {
            report.limits.push(format!(
                "{}: {left_out} pairs beyond the first 1000 kinds were left out",
                analysis.name()
            ));
        }
    }
    for (analysis, events) in &analyzed.left_out {
        report.limits.push(format!(
            "{} was left out after {} events: more than {most} was needed (--memory)",
            analysis.name(),
            HumanCount(*events)
        ));
    }
    if observed.truncated || analyzed.truncated {
        let text = "the trace is truncated: what came after its last whole chunk is not known";
        report.limits.push(text.to_owned());
    }
    if analyzed.light && !analyzed.predicted.is_empty() {
        let text = "the trace has no accesses: what threads read from each other may forbid what is predicted";
        report.limits.push(text.to_owned());
    }
    if analyzed.unnested > 0 {
        report.limits.push(format!(
            "{} locks were released before one that was taken later: their sections stay in the order of the trace",
            analyzed.unnested
        ));
    }
    if analyzed.stopped {
        let text = "the analysis was stopped before the end of the trace";
        report.limits.push(text.to_owned());
    }
    if analyzed.unshown > 0 {
        report.limits.push(format!(
            "{} predictions are left out: there was no time to take their stacks",
            analyzed.unshown
        ));
    }
}

/// What each analysis saw, and what the run showed.
fn summary(observed: &Observed, analyzed: &Analyzed) -> Result<()> {
    use std::io::Write as _;
    let mut out = anstream::stdout();
    for (analysis, totals, _) in &analyzed.totals {
        let what = match analysis {
            Analysis::Deadlock => "pairs of acquires that can block each other",
            _ => "accesses that race with an earlier one",
        };
        writeln!(
            out,
            "{:8} {:>9} of {} events: {what}",
            analysis.name(),
            totals.racy,
            totals.events
        )?;
    }
    let shown = observed.analysis.diagnoses.len();
    writeln!(out, "{:8} {shown:>9} findings of the recorded run", "run")?;
    Ok(())
}
