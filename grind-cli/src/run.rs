//! `grind run`

use crate::cli::{Format, RunArgs, SchedulerName};
use crate::io::ProcessIo;
use crate::watch::Watch;
use anstream::AutoStream;
use anyhow::{Context, Result};
use grind_runtime::analysis::{AnalysisOptions, Detect};
use grind_runtime::host::{self, Outcome, RunOptions};
use grind_runtime::machine::Limits;
use grind_runtime::program::Program;
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::source::Sources;
use grind_runtime::report::{Report, human, json};
use grind_runtime::trace::file::{Footer, Header, TraceWriter, module_hash};
use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) fn run(args: &RunArgs) -> Result<u8> {
    let wasm = crate::module::read(args.module())?;
    let program = Program::new(&wasm).with_context(|| args.module().display().to_string())?;
    let options = options(args)?;
    let trace = trace_file(args, &wasm, &options)?;

    let watch = Watch::start(Arc::clone(&options.control), args.timeout, !args.quiet);
    let outcome = host::run(&program, options.clone(), ProcessIo);
    drop(watch);
    let outcome = outcome.with_context(|| args.module().display().to_string())?;

    let code = outcome.exit_code();
    if let Some(trace) = trace {
        let footer = Footer {
            exit_code: code,
            records: outcome.stats.records,
            events: outcome.stats.events,
            threads: outcome.stats.threads,
            findings: outcome.analysis.diagnoses.len() as u64,
        };
        trace.finish(&footer).context("cannot complete the trace")?;
    }
    print_report(args, &program, &options, &outcome)?;
    Ok(code)
}

fn options(args: &RunArgs) -> Result<RunOptions> {
    let name = args.module().file_name().unwrap_or(OsStr::new("guest"));
    let guest_args =
        std::iter::once(name).chain(args.guest_args().iter().map(|arg| arg.as_os_str()));
    Ok(RunOptions {
        args: guest_args
            .map(|arg| arg.as_encoded_bytes().to_vec())
            .collect(),
        env: args
            .env
            .iter()
            .map(|var| variable(var))
            .collect::<Result<_>>()?,
        seed: args.seed,
        strategy: args.scheduler.into(),
        entry: args.invoke.clone(),
        limits: Limits {
            threads: args.max_threads,
            memory: args.max_memory,
            steps: args.max_steps,
        },
        analysis: AnalysisOptions {
            detect: if args.no_detect {
                Detect::None
            } else {
                Detect::HappensBefore
            },
            halt_on_error: args.halt_on_error,
            ..AnalysisOptions::default()
        },
        ..RunOptions::default()
    })
}

/// `NAME=value`, or `NAME` for the host's value.
fn variable(text: &str) -> Result<Vec<u8>> {
    if text.contains('=') {
        return Ok(text.as_bytes().to_vec());
    }
    let value =
        env::var_os(text).with_context(|| format!("--env {text}: the variable is not set"))?;
    let mut variable = format!("{text}=").into_bytes();
    variable.extend(value.as_encoded_bytes());
    Ok(variable)
}

fn trace_file(
    args: &RunArgs,
    wasm: &[u8],
    options: &RunOptions,
) -> Result<Option<TraceWriter<File>>> {
    let Some(path) = &args.trace else {
        return Ok(None);
    };
    let path = path.clone().unwrap_or_else(|| default_trace(args));
    let header = Header {
        grind: env!("CARGO_PKG_VERSION").to_owned(),
        module: args.module().display().to_string(),
        module_hash: module_hash(wasm),
        args: options.args.clone(),
        env: options.env.clone(),
        seed: options.seed,
        strategy: options.strategy,
        entry: options.entry.clone(),
        limits: options.limits,
    };
    let create = || TraceWriter::create(File::create(&path)?, &header);
    let writer = create().with_context(|| format!("cannot write the trace {}", path.display()))?;
    Ok(Some(writer))
}

fn default_trace(args: &RunArgs) -> PathBuf {
    let name = args.module().file_name().unwrap_or(OsStr::new("guest"));
    PathBuf::from(name).with_extension("grind")
}

fn print_report(
    args: &RunArgs,
    program: &Program,
    options: &RunOptions,
    outcome: &Outcome<ProcessIo>,
) -> Result<()> {
    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    let mut report = outcome.report(program, &symbolizer, options);
    report.program.module = args.module().display().to_string();
    report.program.arguments = args
        .guest_args()
        .iter()
        .map(|arg| arg.display().to_string())
        .collect();
    report.reproduce = Some(reproduce(args));
    let text = match args.format {
        Format::Json => json::to_string(&report),
        Format::Human => human_text(args, &report),
    };
    // A closed pipe ends the report, not the run.
    match write!(anstream::stderr(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn human_text(args: &RunArgs, report: &Report) -> String {
    let mut roots: Vec<PathBuf> = args.source.clone();
    // `target/wasm32-…/release/app.wasm` lies four directories below the package its paths begin at.
    roots.extend(args.module().ancestors().skip(1).take(5).map(PathBuf::from));
    let options = human::Options {
        color: AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never,
        width: terminal_size::terminal_size_of(io::stderr())
            .map_or(100, |(width, _)| usize::from(width.0)),
        verbose: args.verbose,
        sources: Sources::on_disk(env::current_dir().unwrap_or_default(), roots),
    };
    match (report.is_clean(), args.quiet) {
        (true, _) if !args.verbose => String::new(),
        (_, true) => report
            .findings
            .iter()
            .map(|finding| human::render_finding(finding, &options))
            .collect(),
        _ => human::render(report, &options),
    }
}

/// The command that shows the same again.
fn reproduce(args: &RunArgs) -> String {
    let mut words = vec!["grind".to_owned(), "run".to_owned()];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--seed", args.seed.to_string());
    if args.scheduler != SchedulerName::Random {
        option("--scheduler", "round-robin".to_owned());
    }
    if let Some(function) = &args.invoke {
        option("--invoke", function.clone());
    }
    for variable in &args.env {
        option("--env", variable.clone());
    }
    if let Some(steps) = args.max_steps {
        option("--max-steps", steps.to_string());
    }
    if args.max_threads != 1000 {
        option("--max-threads", args.max_threads.to_string());
    }
    if args.max_memory != 1 << 30 {
        option("--max-memory", args.max_memory.to_string());
    }
    words.push(args.module().display().to_string());
    words.extend(
        args.guest_args()
            .iter()
            .map(|arg| arg.display().to_string()),
    );
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}
