//! `grind run`

use crate::args::policy::Policy;
use crate::args::report::{Always, Stream};
use crate::args::run::RunArgs;
use crate::args::trace;
use crate::args::trace::trace_with_a_blank;
use crate::commands::guest::Guest;
use crate::commands::timeline::add_timeline;
use crate::commands::{many, schedule};
use crate::output::say::Shown as _;
use crate::process::bound::Bound;
use crate::process::set_up::SetUp;
use crate::process::signals;
use crate::process::watch::Watch;
use crate::process::whole_file::Place;
use crate::settings::file::Config;
use anyhow::{Context, Result};
use grind_runtime::explore::Seeds;
use grind_runtime::host::Stdio;
use grind_runtime::model::{Driven, Ending, Schedule};
use grind_runtime::program::Program;
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::Report;
use grind_runtime::report::suppress::Suppressions;
use grind_runtime::session::{self, RunOptions};
use grind_runtime::trace::{Detail, Header, ModuleHash};
use std::path::Path;
use std::sync::Arc;

pub(crate) const EXAMPLES: &str = "\
Examples:
  grind run app.wasm                       look for races under one schedule
  grind run --seed 7 app.wasm              under another one
  grind run --seeds 0..100 app.wasm        under a hundred, on all cores; see `grind check` as well
  grind run --trace app.wasm --threads 4  record the run, give the guest arguments
  grind run --report json=r.json app.wasm  keep the report for later
  grind run --report sarif=r.sarif --report github=- app.wasm  in CI
  grind run --dir data::/data app.wasm     let the guest use the files in ./data as /data
  grind run --no-detect app.wasm           only run it
  grind run app.wasm -- --skip slow        options of the guest; the -- may be left out

The guest's standard output stays as it is; reports go to standard error. Ctrl-C ends the run, and reports what was found until
then; a second one kills.";

pub(crate) fn run(args: &RunArgs) -> Result<u8> {
    let (flags, module) = (&args.flags, args.command.module());
    let guest = Guest {
        flags: &flags.guest,
        command: &args.command,
        schedule: flags.schedule.as_deref(),
    };
    let config = Config::find(&flags.guest.config.file)?;
    let mut suppressions = config.suppressions(&flags.guest.config.suppressions)?;
    let policy = flags.guest.policy.load()?;
    let read: Vec<&Path> = std::iter::once(module)
        .chain(flags.schedule.as_deref())
        .collect();
    let outputs = (flags.guest.report).open(Stream::Stderr, Always::Printed, &read)?;
    let save = schedule::place(flags.save_schedule.as_deref(), &read)?;
    let control = Arc::default();
    let set_up = SetUp::within(flags.guest.timeout, &control);
    let wasm = crate::input::module::read(module).map_err(|error| meant(args, error))?;
    let mut options = guest.options(control)?;
    options.spec.schedule = Schedule::Strategy {
        strategy: flags.scheduler.clone(),
        seed: flags.seed,
    };
    let program = guest.program(&wasm, &config)?;
    if let Some(path) = &flags.schedule {
        options.spec.schedule = schedule::read(path, &program)?;
    }
    let header = header(args, &wasm, &config, &options);
    let _orderly = signals::orderly();
    let (report, code) = match flags.seeds {
        None => once(
            args,
            guest,
            (header, save),
            &program,
            &options,
            &mut suppressions,
            &policy,
        ),
        Some(seeds) => {
            // Each has a time of its own.
            drop(set_up);
            let job = many::Job {
                guest,
                program: &program,
                options: &options,
                total: seeds.len(),
                jobs: flags.jobs.unwrap_or_else(|| guest.usual_jobs()),
                fail_fast: flags.fail_fast,
                time: None,
            };
            let mut explorer = Seeds::new(seeds, flags.scheduler.clone());
            many::run(&job, &mut explorer, &mut suppressions, &policy)
        }
    }?;
    guest.tell(report, outputs, (&config, &program), &suppressions, true)?;
    Ok(code)
}

/// A value of `--trace` with a blank before it is taken for the module.
fn meant(args: &RunArgs, error: anyhow::Error) -> anyhow::Error {
    let module = args.command.module();
    if !args.flags.trace.is_bare() || args.command.args().is_empty() || module.is_file() {
        return error;
    }
    trace_with_a_blank(module.as_os_str()).into()
}

/// Under one seed. What it showed, and the exit code.
fn once(
    args: &RunArgs,
    guest: Guest<'_>,
    (header, save): (Header, Option<Place>),
    program: &Program,
    options: &RunOptions,
    suppressions: &mut Suppressions,
    policy: &Policy<'_>,
) -> Result<(Report, u8)> {
    let (flags, module) = (&args.flags, args.command.module());
    let trace = (flags.trace).begin(program, module, header, &[module])?;
    let control = Arc::clone(&options.control);
    let watch = Watch::start(control, flags.guest.timeout, !flags.guest.report.quiet);
    let ran = match trace {
        Some(trace) => session::record(program, options.clone(), Stdio::inherit(), trace)
            .map(|(outcome, trace)| (outcome, Some(trace))),
        None => {
            session::run(program, options.clone(), Stdio::inherit()).map(|outcome| (outcome, None))
        }
    };
    drop(watch);
    let (outcome, trace) = ran
        .map_err(|error| schedule::explain(flags.schedule.as_deref(), error))
        .with_context(|| module.shown())?;
    if let Some(place) = save {
        schedule::save(place, program, outcome.decisions.as_deref())?;
    }

    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    let mut report = guest.report(program, &symbolizer, options, &outcome);
    suppressions.apply(&mut report);
    let code = policy.exit_code(&mut report, outcome.own_exit_code());
    let code = signals::told(&mut report, outcome.ending == Ending::TimedOut, code);
    if let Some(trace) = trace {
        trace::finish(trace, &outcome.footer(code, report.findings.len()))?;
        let path = flags.trace.path(module);
        let bound = Bound::finishing(flags.guest.timeout);
        add_timeline(&mut report, &flags.guest.report, &path, program, bound)?;
    }
    Ok((report, code))
}

/// What a trace says of the run.
fn header(args: &RunArgs, wasm: &[u8], config: &Config, options: &RunOptions) -> Header {
    Header {
        grind: env!("CARGO_PKG_VERSION").to_owned(),
        module: args
            .command
            .module()
            .as_os_str()
            .as_encoded_bytes()
            .to_vec(),
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
