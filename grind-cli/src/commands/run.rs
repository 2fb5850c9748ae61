//! `grind run`

use crate::args::limits::name_options;
use crate::args::policy::Policy;
use crate::args::report::{Always, Stream};
use crate::args::run::RunArgs;
use crate::args::trace;
use crate::args::trace::trace_with_a_blank;
use crate::commands::timeline::add_timeline;
use crate::commands::{schedule, seeds};
use crate::output::error::{NotFound, Usage};
use crate::output::quote;
use crate::output::say::{self, Shown as _};
use crate::process::bound::Bound;
use crate::process::set_up::SetUp;
use crate::process::signals;
use crate::process::watch::Watch;
use crate::process::whole_file::Place;
use crate::settings::file::Config;
use anyhow::{Context, Result};
use grind_runtime::detect::{AnalysisOptions, Detect};
use grind_runtime::explore::SeedRange;
use grind_runtime::host::Stdio;
use grind_runtime::model::{Control, Driven, Ending, Entry, Limits, RunSpec, Schedule, Unfinished};
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::program::{Program, ProgramOptions};
use grind_runtime::report::Report;
use grind_runtime::report::suppress::{self, Suppressions};
use grind_runtime::session::{self, Outcome, Preopen, RunOptions};
use grind_runtime::trace::{Detail, Header, ModuleHash};
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::thread;

pub(crate) const EXAMPLES: &str = "\
Examples:
  grind run app.wasm                       look for races under one schedule
  grind run --seed 7 app.wasm              under another one
  grind run --seeds 0..100 app.wasm        under a hundred, on all cores
  grind run --trace app.wasm --threads 4  record the run, give the guest arguments
  grind run --report json=r.json app.wasm  keep the report for later
  grind run --report sarif=r.sarif --report github=- app.wasm  in CI
  grind run --dir data::/data app.wasm     let the guest use the files in ./data as /data
  grind run --no-detect app.wasm           only run it
  grind run app.wasm -- --skip slow        options of the guest; the -- may be left out

The guest's standard output stays as it is; reports go to standard error. Ctrl-C ends the run, and reports what was found until
then; a second one kills.";

pub(crate) fn run(args: &RunArgs) -> Result<u8> {
    let config = Config::find(&args.flags.config.file)?;
    let mut suppressions = config.suppressions(&args.flags.config.suppressions)?;
    let policy = args.flags.policy.load()?;
    let read: Vec<&Path> = std::iter::once(args.module())
        .chain(args.flags.schedule.as_deref())
        .collect();
    let outputs = (args.flags.report).open(Stream::Stderr, Always::Printed, &read)?;
    let save = schedule::place(args.flags.save_schedule.as_deref(), &read)?;
    let control = Arc::default();
    let set_up = SetUp::within(args.flags.timeout, &control);
    let wasm = crate::input::module::read(args.module()).map_err(|error| meant(args, error))?;
    let program_options = ProgramOptions::default().interceptors(config.interceptors.clone());
    let mut options = options(args, control)?;
    let program =
        Program::with_options(&wasm, program_options).with_context(|| args.module().shown())?;
    if let Some(path) = &args.flags.schedule {
        options.spec.schedule = schedule::read(path, &program)?;
    }
    let header = header(args, &wasm, &config, &options);
    let _orderly = signals::orderly();
    let (mut report, code) = match args.flags.seeds {
        None => once(
            args,
            (header, save),
            &program,
            &options,
            &mut suppressions,
            &policy,
        ),
        Some(seeds) => {
            // Each has a time of its own.
            drop(set_up);
            many(args, &program, &options, seeds, &mut suppressions, &policy)
        }
    }?;
    // Otherwise a file could make all of it silent.
    if report.is_clean() && !args.flags.config.file.trust_config {
        report.notes.extend(config.intercepts(&program));
    }
    let lines = suppression_lines(&report);
    outputs.write(report)?;
    if args.flags.gen_suppressions {
        say::err(&lines)?;
    }
    // What was ended early did not have the time to show what they hide.
    if args.flags.deny_unused_suppressions && signals::came().is_none() {
        let unused: Vec<String> = (suppressions.unused())
            .map(|one| format!("\n  {}: {one}", one.origin))
            .collect();
        if !unused.is_empty() {
            let text = format!("suppressions that hid nothing:{}", unused.concat());
            return Err(Usage(text).into());
        }
    }
    Ok(code)
}

/// A value of `--trace` with a blank before it is taken for the module.
fn meant(args: &RunArgs, error: anyhow::Error) -> anyhow::Error {
    let module = args.module();
    if !args.flags.trace.is_bare() || args.guest_args().is_empty() || module.is_file() {
        return error;
    }
    trace_with_a_blank(module.as_os_str()).into()
}

/// Under one seed. What it showed, and the exit code.
fn once(
    args: &RunArgs,
    (header, save): (Header, Option<Place>),
    program: &Program,
    options: &RunOptions,
    suppressions: &mut Suppressions,
    policy: &Policy<'_>,
) -> Result<(Report, u8)> {
    let trace = (args.flags.trace).begin(program, args.module(), header, &[args.module()])?;
    let control = Arc::clone(&options.control);
    let watch = Watch::start(control, args.flags.timeout, !args.flags.report.quiet);
    let ran = match trace {
        Some(trace) => session::record(program, options.clone(), Stdio::inherit(), trace)
            .map(|(outcome, trace)| (outcome, Some(trace))),
        None => {
            session::run(program, options.clone(), Stdio::inherit()).map(|outcome| (outcome, None))
        }
    };
    drop(watch);
    let (outcome, trace) = ran
        .map_err(|error| schedule::explain(args.flags.schedule.as_deref(), error))
        .with_context(|| args.module().shown())?;
    if let Some(place) = save {
        schedule::save(place, program, outcome.decisions.as_deref())?;
    }

    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    let mut report = report(args, program, &symbolizer, options, &outcome);
    suppressions.apply(&mut report);
    let code = policy.exit_code(&mut report, outcome.own_exit_code());
    let code = signals::told(&mut report, outcome.ending == Ending::TimedOut, code);
    if let Some(trace) = trace {
        trace::finish(trace, &outcome.footer(code, report.findings.len()))?;
        let path = args.flags.trace.path(args.module());
        let bound = Bound::finishing(args.flags.timeout);
        add_timeline(&mut report, &args.flags.report, &path, program, bound)?;
    }
    Ok((report, code))
}

/// Under many. What they showed, and the exit code.
fn many(
    args: &RunArgs,
    program: &Program,
    options: &RunOptions,
    seeds: SeedRange,
    suppressions: &mut Suppressions,
    policy: &Policy<'_>,
) -> Result<(Report, u8)> {
    // Runs at the same time would see each other's files.
    let usual = match args.flags.dir.is_empty() {
        true => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        false => NonZeroUsize::MIN,
    };
    // What one run asked, the others need not.
    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    let job = seeds::Job {
        program,
        options,
        seeds,
        strategy: args.flags.scheduler.clone(),
        jobs: args.flags.jobs.unwrap_or(usual),
        fail_fast: args.flags.fail_fast,
        timeout: args.flags.timeout,
        progress: !args.flags.report.quiet,
        report: &|outcome, options| report(args, program, &symbolizer, options, outcome),
    };
    let (mut report, code) =
        seeds::run(&job, suppressions, policy).with_context(|| args.module().shown())?;
    let code = policy.exit_code(&mut report, code);
    let code = signals::told(&mut report, true, code);
    Ok((report, code))
}

/// Lines for a suppression file.
fn suppression_lines(report: &Report) -> String {
    let mut lines: Vec<String> = (report.findings.iter())
        .filter_map(|finding| Some(format!("{}\n", suppress::line_for(finding)?)))
        .collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

fn options(args: &RunArgs, control: Arc<Control>) -> Result<RunOptions> {
    let module = args.module().file_name().unwrap_or(OsStr::new("guest"));
    let name = args.flags.argv0.as_deref().unwrap_or(module);
    let guest_args =
        std::iter::once(name).chain(args.guest_args().iter().map(|arg| arg.as_os_str()));
    let directories = args.flags.dir.iter().map(|dir| preopen(dir));
    let directories: Vec<Preopen> = directories.collect::<Result<_>>()?;
    let env = args.flags.env.iter().map(|var| variable(var));
    let spec = RunSpec::default()
        .args(
            guest_args
                .map(|arg| arg.as_encoded_bytes().to_vec())
                .collect(),
        )
        .env(env.collect::<Result<_>>()?)
        .schedule(Schedule::Strategy {
            strategy: args.flags.scheduler.clone(),
            seed: args.flags.seed,
        })
        .entry(
            Entry::default()
                .function(args.flags.invoke.clone())
                .after_start(args.flags.after_start)
                .unfinished(if args.flags.wait_for_threads {
                    Unfinished::Wait
                } else {
                    Unfinished::Observe
                }),
        )
        .initial_memory(args.flags.initial_memory)
        .limits(
            Limits::default()
                .threads(args.flags.max_threads)
                .memory(args.flags.max_memory)
                .steps(args.flags.max_steps),
        );
    let options = RunOptions::from(spec)
        .analysis(
            AnalysisOptions::default()
                .detect(if args.flags.no_detect {
                    Detect::None
                } else {
                    Detect::HappensBefore
                })
                .halt_on_error(args.flags.halt_on_error),
        )
        .control(control);
    Ok(directories.into_iter().fold(options, RunOptions::directory))
}

/// `NAME=value`, or `NAME` for the host's value.
fn variable(text: &str) -> Result<Vec<u8>> {
    if text.contains('=') {
        return Ok(text.as_bytes().to_vec());
    }
    let unset = || Usage(format!("--env {text}: the variable is not set"));
    let value = env::var_os(text).ok_or_else(unset)?;
    let mut variable = format!("{text}=").into_bytes();
    variable.extend(value.as_encoded_bytes());
    Ok(variable)
}

/// `HOST::GUEST`, or `HOST` for the same name in the guest.
fn preopen(text: &str) -> Result<Preopen> {
    let (host, guest) = text.rsplit_once("::").unwrap_or((text, text));
    Preopen::open(host, guest).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NotFound {
            path: format!("--dir {text}: {host}"),
        }
        .into(),
        io::ErrorKind::NotADirectory => Usage(format!("--dir {text}: {host}: {error}")).into(),
        _ => anyhow::Error::new(error).context(format!("--dir {text}: {host}")),
    })
}

/// What a trace says of the run.
fn header(args: &RunArgs, wasm: &[u8], config: &Config, options: &RunOptions) -> Header {
    Header {
        grind: env!("CARGO_PKG_VERSION").to_owned(),
        module: args.module().as_os_str().as_encoded_bytes().to_vec(),
        module_hash: ModuleHash::of(wasm),
        embedded: None,
        sites: 0,
        detail: Detail::default(),
        spec: options.spec.clone(),
        interceptors: config.interceptors.clone(),
        driven: Driven::ByNobody,
        fuel: options.fuel,
    }
}

fn report<Io>(
    args: &RunArgs,
    program: &Program,
    symbolizer: &Symbolizer,
    options: &RunOptions,
    outcome: &Outcome<Io>,
) -> Report {
    let mut report = outcome.report(program, symbolizer, options);
    name_options(&mut report, &outcome.limits_reached, &options.spec.limits);
    report.program.module = args.module().display().to_string();
    report.program.arguments = args
        .guest_args()
        .iter()
        .map(|arg| arg.display().to_string())
        .collect();
    report.reproduce = Some(reproduce(args, &options.spec.schedule));
    report
}

/// The command that shows the same again.
fn reproduce(args: &RunArgs, schedule: &Schedule) -> String {
    let mut words: Vec<OsString> = ["grind", "run"].map(OsString::from).to_vec();
    match (schedule, &args.flags.schedule) {
        (Schedule::Strategy { seed, .. }, _) => {
            words.extend(["--seed".into(), seed.to_string().into()]);
        }
        (Schedule::Decisions(_), path) => {
            words.push("--schedule".into());
            words.extend(path.as_deref().map(quote::path));
        }
    }
    words.extend(args.flags.again.0.iter().cloned());
    words.push(quote::path(args.module()));
    let guest = args.guest_args();
    // The first of these would be taken as the end of grind's own.
    words.extend((guest.first()).filter(|first| *first == "--").cloned());
    words.extend(guest.iter().cloned());
    quote::joined(words.iter().map(OsString::as_os_str))
}
