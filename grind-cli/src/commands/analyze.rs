//! `grind analyze`

use crate::args::config::ConfigArgs;
use crate::args::policy::PolicyArgs;
use crate::args::report::{Always, ReportArgs, Stream};
use crate::args::trace;
use crate::commands::pace::Pace;
use crate::input::trace_file::{self, TraceFile};
use crate::output::error::Unfit;
use crate::output::quote::quoted;
use crate::output::say::Shown as _;
use crate::process::bound::Bound;
use crate::process::watch::Watch;
use crate::process::{memory, signals};
use crate::settings::file::Config;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use grind_runtime::detect::{AnalysisOptions, Detect, Diagnosed};
use grind_runtime::machine::NullIo;
use grind_runtime::model::Ending;
use grind_runtime::model::sites::SiteTable;
use grind_runtime::predict::translate::{self, Analysis, Analyzed, Bounds, Observed, Predicted};
use grind_runtime::program::Program;
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::finding::{Prediction, PredictionStatus};
use grind_runtime::report::identity::Index;
use grind_runtime::report::{Command, Finding, Report};
use grind_runtime::session::{self, ExitCode, Outcome, ReplayError, ReplayOptions, TraceOutput};
use grind_runtime::trace::{Detail, Header, TraceWriter};
use indicatif::{HumanBytes, HumanCount};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
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
    #[arg(long, visible_alias = "timeout", value_name = "TIME", value_parser = crate::args::values::duration)]
    time: Option<Duration>,
    /// Remember about this much of the trace, and leave out the analyses that need more [default: a quarter of the memory]
    #[arg(long, value_name = "SIZE", value_parser = crate::args::values::size)]
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
    let config = Config::find(&args.config.file)?;
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
        Ok(program) => match session::check(&reader, &program) {
            Err(ReplayError::OtherModule { .. }) => {
                let text = format!("{} is not the module of the trace", module.shown());
                return Err(Unfit(text).into());
            }
            checked => checked.map(|()| Some(program))?,
        },
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

    let bounds = Bounds::default()
        .memory(Some(args.memory.unwrap_or_else(memory::quarter)))
        .control(Arc::default());
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
    let bar = !args.report.quiet;
    let mut pace = Pace::new(&bounds.control, args.time, bar.then(|| file.len()));
    let observed = translate::observe(|| file.whole(), &bounds, |now| pace.progress(now));
    let mut observed = observed.with_context(context)?;
    let analyzed = translate::analyze(|| file.whole(), &wanted, &bounds, |now| pace.progress(now));
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
    let mut index = Index::default();
    add_observed(&mut report, &mut index, observed, &sites, &symbolizer);
    for (predicted, trace) in analyzed.predicted.iter().zip(&confirmed) {
        let diagnosed = Diagnosed {
            diagnosis: predicted.diagnosis.clone(),
            count: predicted.count,
        };
        let finding = Finding::from_diagnosis(&diagnosed, &sites, &symbolizer, &analyzed.threads);
        let new = prediction(predicted, trace.as_deref());
        let kept = add_predicted(&mut report, &mut index, finding, new);
        // One trace of each finding is enough.
        if let Some(trace) = trace
            && !kept
        {
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
    let options = ReplayOptions::default()
        .analysis(AnalysisOptions::default().detect(Detect::None))
        .record(Some(TraceWriter::create(
            out,
            &header,
            program.sites(),
            None,
        )?))
        .control(Arc::default());
    // The end of the trace stops the run by its control, and nothing else.
    let watch = Watch::start(Arc::clone(&options.control), time, false);
    let replayed = session::replay(program, || file.whole(), options, Box::new(NullIo));
    drop(watch);
    let replayed = replayed?;
    if let Some(trace) = replayed.record {
        match replayed.truncated {
            // It ends where the light one does.
            true => trace::finish_truncated(trace)?,
            false => trace::finish(trace, &replayed.outcome.footer(0, 0))?,
        }
    }
    Ok(full)
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
    let confirmed = session::confirm(
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
    index: &mut Index,
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
        index.add(&mut report.findings, finding);
    }
}

fn names(analyses: &[Analysis]) -> Vec<String> {
    (analyses.iter())
        .map(|analysis| analysis.name().to_owned())
        .collect()
}

/// What is said of a prediction, whose confirming run is recorded there.
fn prediction(predicted: &Predicted, confirmed: Option<&Path>) -> Prediction {
    let sound = (predicted.analyses.iter()).any(|analysis| analysis.is_sound());
    Prediction {
        analyses: names(&predicted.analyses),
        status: match (confirmed, sound) {
            (Some(_), _) => PredictionStatus::Confirmed,
            (None, true) => PredictionStatus::Predicted,
            (None, false) => PredictionStatus::Hint,
        },
        replay: confirmed.map(|trace| quoted(&["grind", "replay"], trace)),
    }
}

/// Adds what was predicted; if it is the same as a finding that is there, only says so there. Returns whether the report
/// names the run that confirmed it.
fn add_predicted(
    report: &mut Report,
    index: &mut Index,
    mut finding: Finding,
    new: Prediction,
) -> bool {
    let confirmed = new.status == PredictionStatus::Confirmed;
    let known = index.position(&finding).map(|at| &mut report.findings[at]);
    let Some(known) = known else {
        finding.prediction = Some(new);
        return index.add(&mut report.findings, finding) && confirmed;
    };
    let Some(prediction) = &mut known.prediction else {
        return false;
    };
    for analysis in new.analyses {
        if !prediction.analyses.contains(&analysis) {
            prediction.analyses.push(analysis);
        }
    }
    let place = |name: &String| Analysis::ALL.iter().position(|one| one.name() == name);
    prediction.analyses.sort_by_key(place);
    if prediction.status == PredictionStatus::Observed {
        // The run that was recorded shows it already.
        return false;
    }
    known.count = known.count.saturating_add(finding.count);
    let stronger = match prediction.status {
        PredictionStatus::Hint => new.status != PredictionStatus::Hint,
        PredictionStatus::Predicted => confirmed,
        _ => false,
    };
    if stronger {
        prediction.status = new.status;
        prediction.replay = new.replay;
    }
    stronger && confirmed
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

#[cfg(test)]
mod tests {
    use super::*;
    use grind_runtime::detect::{Access, AccessKind, Diagnosis};
    use grind_runtime::model::ThreadId;

    fn race() -> Finding {
        let access = |thread| Access {
            thread: ThreadId(thread),
            addr: 64,
            len: 4,
            write: true,
            kind: AccessKind::Plain,
            stack: Vec::new(),
            locks: Vec::new(),
        };
        let diagnosed = Diagnosed {
            diagnosis: Diagnosis::DataRace {
                first: access(1),
                second: access(2),
                block: None,
                stack_place: None,
                history: None,
            },
            count: 1,
        };
        let symbolizer = Symbolizer::new(Arc::from(&b"\0asm\x01\0\0\0"[..]));
        Finding::from_diagnosis(&diagnosed, &SiteTable::default(), &symbolizer, &[])
    }

    fn told(analysis: &str, status: PredictionStatus) -> Prediction {
        let confirmed = status == PredictionStatus::Confirmed;
        Prediction {
            analyses: vec![analysis.to_owned()],
            status,
            replay: confirmed.then(|| format!("grind replay {analysis}")),
        }
    }

    #[test]
    fn of_predictions_of_one_finding_the_strongest_is_told() {
        use PredictionStatus::{Confirmed, Hint, Observed, Predicted};
        for (told_so_far, new, status, names_the_run) in [
            (Hint, Predicted, Predicted, false),
            (Hint, Confirmed, Confirmed, true),
            (Predicted, Hint, Predicted, false),
            (Predicted, Confirmed, Confirmed, true),
            (Confirmed, Confirmed, Confirmed, false),
            (Confirmed, Predicted, Confirmed, false),
            (Observed, Confirmed, Observed, false),
        ] {
            let mut report = Report::default();
            let mut index = Index::default();
            let first = add_predicted(&mut report, &mut index, race(), told("shb", told_so_far));
            assert_eq!(first, told_so_far == Confirmed);
            let named = add_predicted(&mut report, &mut index, race(), told("hb", new));
            assert_eq!(named, names_the_run, "{told_so_far:?}, then {new:?}");
            let [finding] = &report.findings[..] else {
                panic!("{} findings", report.findings.len());
            };
            let prediction = finding.prediction.as_ref().expect("it was predicted");
            assert_eq!(prediction.status, status);
            assert_eq!(prediction.analyses, ["hb", "shb"]);
            let run = match (told_so_far, status) {
                (Confirmed, _) => Some("grind replay shb"),
                (_, Confirmed) => Some("grind replay hb"),
                _ => None,
            };
            assert_eq!(prediction.replay.as_deref(), run);
        }
    }
}
