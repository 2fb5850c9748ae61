//! `grind analyze`

use crate::config::{Config, ConfigArgs};
use crate::error::WrongModule;
use crate::policy_args::PolicyArgs;
use crate::quote::quoted;
use crate::report_args::{Always, ReportArgs, Stream};
use crate::trace_file::{self, TraceFile};
use crate::watch;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use grind_runtime::analysis::Diagnosed;
use grind_runtime::host::{self, TraceOutput};
use grind_runtime::offline::{self, Analysis, Analyzed, Progress};
use grind_runtime::program::Program;
use grind_runtime::program::sites::SiteTable;
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::finding::{Prediction, PredictionStatus};
use grind_runtime::report::{Command, Finding, Report};
use indicatif::HumanBytes;
use std::fs::{self, File};
use std::io::BufWriter;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) const EXAMPLES: &str = "\
Examples:
  grind run --trace=full --trace-file app.grind app.wasm
  grind analyze app.grind                       every analysis that proves what it says
  grind analyze --analysis syncp,osr app.grind  these
  grind analyze --confirm app.grind             and run the program into what they predict
  grind analyze --time 60s --memory 2GiB app.grind

The trace is read, not run. Exit code 66 says that something was predicted.";

#[derive(Debug, Args)]
pub(crate) struct AnalyzeArgs {
    /// What to look for; several with commas [default: all but lockset, which only hints]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    analysis: Vec<AnalysisName>,
    /// The module, for names and lines [default: the one in the trace, or the one that ran]
    #[arg(long, value_name = "APP.wasm")]
    module: Option<PathBuf>,
    /// Stop reading after this much time, and report what was found until then
    #[arg(long, visible_alias = "timeout", value_name = "TIME", value_parser = crate::cli::duration)]
    time: Option<Duration>,
    /// Stop reading when grind takes this much memory (Linux only)
    #[arg(long, value_name = "SIZE", value_parser = crate::cli::size)]
    memory: Option<u64>,
    /// Run the program once for each prediction, led to where it should show, and keep the traces of those that did
    #[arg(long)]
    confirm: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    report: ReportArgs,
    /// The trace, recorded with --trace=full
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
    let (file, reader) = TraceFile::open(&args.file)?;
    let mut wanted: Vec<Analysis> = args.analysis.iter().map(|name| name.0).collect();
    if wanted.is_empty() {
        wanted.extend(Analysis::ALL.into_iter().filter(|one| one.is_sound()));
    }
    let module = trace_file::module(reader.header(), args.module.as_deref());
    let program = match trace_file::program(&reader, args.module.as_deref()) {
        Ok(program) if program.sites() != reader.sites() => {
            let text = format!("{} is not the module of the trace", module.display());
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
    drop(reader);

    let start = Instant::now();
    let bar = (!args.report.quiet)
        .then(|| watch::bytes(file.len()))
        .flatten();
    let analyzed = offline::analyze(
        || file.reader(),
        &wanted,
        |progress: Progress| {
            if let Some(bar) = &bar {
                bar.set_position(progress.position);
            }
            let late = args.time.is_some_and(|time| start.elapsed() >= time);
            let large = args
                .memory
                .is_some_and(|most| resident().is_some_and(|now| now > most));
            if late || large {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        },
    );
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let analyzed = analyzed.with_context(|| args.file.display().to_string())?;
    let confirmed = match program.filter(|_| args.confirm) {
        Some(program) => confirm(&program, &file, &analyzed)?,
        None => vec![None; analyzed.predicted.len()],
    };
    let symbolizer = Symbolizer::new(symbols);
    let mut report = report(
        &analyzed,
        &confirmed,
        &sites,
        &symbolizer,
        &module,
        &args.file,
    );
    // One of each finding is enough.
    for trace in confirmed.iter().flatten() {
        let replay = quoted(&["grind", "replay"], trace);
        let shown = |finding: &Finding| {
            let prediction = finding.prediction.as_ref();
            prediction.and_then(|prediction| prediction.replay.as_ref()) == Some(&replay)
        };
        if !report.findings.iter().any(shown) {
            fs::remove_file(trace).with_context(|| trace.display().to_string())?;
        }
    }
    suppressions.apply(&mut report);
    summary(&analyzed)?;
    let code = policy.exit_code(&mut report, 0);
    outputs.write(report)?;
    Ok(code)
}

/// Runs the program for each prediction. The traces of runs that showed theirs are kept beside the one that was
/// analysed.
fn confirm(
    program: &Program,
    file: &TraceFile,
    analyzed: &Analyzed,
) -> Result<Vec<Option<PathBuf>>> {
    let path = |index: usize| {
        file.path()
            .with_extension(format!("confirmed-{}.grind", index + 1))
    };
    let confirmed = host::confirm(
        program,
        || file.reader(),
        &analyzed.predicted,
        |index| Ok(Box::new(BufWriter::new(File::create(path(index))?)) as TraceOutput),
        |index, keep| {
            if keep {
                Ok(())
            } else {
                fs::remove_file(path(index))
            }
        },
    );
    let confirmed = confirmed.with_context(|| file.path().display().to_string())?;
    Ok((0..)
        .zip(confirmed)
        .map(|(index, happened)| happened.then(|| path(index)))
        .collect())
}

/// Bytes of memory that this process has, where the host says.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(resident * 4096)
}

fn report(
    analyzed: &Analyzed,
    confirmed: &[Option<PathBuf>],
    sites: &SiteTable,
    symbolizer: &Symbolizer,
    module: &Path,
    trace: &Path,
) -> Report {
    let mut report = Report {
        command: Command::Analyze,
        ..Report::default()
    };
    report.program.module = module.display().to_string();
    report.reproduce = Some(quoted(&["grind", "analyze"], trace));
    for (predicted, confirmed) in analyzed.predicted.iter().zip(confirmed) {
        let diagnosed = Diagnosed {
            diagnosis: predicted.diagnosis.clone(),
            count: predicted.count,
        };
        let threads = &analyzed.threads;
        let mut finding = Finding::from_diagnosis(&diagnosed, sites, symbolizer, threads);
        let sound = predicted
            .analyses
            .iter()
            .any(|analysis| analysis.is_sound());
        finding.prediction = Some(Prediction {
            analyses: (predicted.analyses.iter())
                .map(|analysis| analysis.name().to_owned())
                .collect(),
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
    for (analysis, _, left_out) in &analyzed.totals {
        if *left_out > 0 {
            report.limits.push(format!(
                "{}: {left_out} pairs beyond the first 1000 kinds were left out",
                analysis.name()
            ));
        }
    }
    if analyzed.cut {
        let text = "the trace is cut: what came after its last whole chunk is not known";
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
        let size = HumanBytes(resident().unwrap_or_default());
        report.limits.push(format!(
            "the analysis was stopped before the end of the trace, at {size} of memory"
        ));
    }
    report
}

/// What each analysis saw.
fn summary(analyzed: &Analyzed) -> Result<()> {
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
    Ok(())
}
