//! A module with its options, as commands that run one take it: what to run, and what to say of it.

use crate::args::guest::{GuestCommand, GuestFlags};
use crate::args::limits::name_options;
use crate::args::report::Outputs;
use crate::output::error::{NotFound, Usage};
use crate::output::quote;
use crate::output::say::{self, Shown as _};
use crate::process::signals;
use crate::settings::file::Config;
use anyhow::{Context, Result};
use grind_runtime::detect::{AnalysisOptions, Detect};
use grind_runtime::model::{Control, Entry, Limits, RunSpec, Schedule, Strategy, Unfinished};
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::program::{Program, ProgramOptions};
use grind_runtime::report::Report;
use grind_runtime::report::suppress::{self, Suppressions};
use grind_runtime::session::{Outcome, Preopen, RunOptions};
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// See the module.
#[derive(Clone, Copy)]
pub(crate) struct Guest<'a> {
    pub(crate) flags: &'a GuestFlags,
    pub(crate) command: &'a GuestCommand,
    /// A file that the schedule comes from.
    pub(crate) schedule: Option<&'a Path>,
}

impl Guest<'_> {
    pub(crate) fn program(&self, wasm: &[u8], config: &Config) -> Result<Program> {
        let options = ProgramOptions::default().interceptors(config.interceptors.clone());
        Program::with_options(wasm, options).with_context(|| self.command.module().shown())
    }

    /// How it is run, under the usual schedule.
    pub(crate) fn options(&self, control: Arc<Control>) -> Result<RunOptions> {
        let (flags, module) = (self.flags, self.command.module());
        let module = module.file_name().unwrap_or(OsStr::new("guest"));
        let name = flags.argv0.as_deref().unwrap_or(module);
        let args = self.command.args().iter().map(|arg| arg.as_os_str());
        let args = std::iter::once(name).chain(args);
        let directories = flags.dir.iter().map(|dir| preopen(dir));
        let directories: Vec<Preopen> = directories.collect::<Result<_>>()?;
        let env = flags.env.iter().map(|var| variable(var));
        let unfinished = match flags.wait_for_threads {
            true => Unfinished::Wait,
            false => Unfinished::Observe,
        };
        let spec = RunSpec::default()
            .args(args.map(|arg| arg.as_encoded_bytes().to_vec()).collect())
            .env(env.collect::<Result<_>>()?)
            .entry(
                Entry::default()
                    .function(flags.invoke.clone())
                    .after_start(flags.after_start)
                    .unfinished(unfinished),
            )
            .initial_memory(flags.initial_memory)
            .limits(
                Limits::default()
                    .threads(flags.max_threads)
                    .memory(flags.max_memory)
                    .steps(flags.max_steps),
            );
        let detect = match flags.no_detect {
            true => Detect::None,
            false => Detect::HappensBefore,
        };
        let analysis = AnalysisOptions::default()
            .detect(detect)
            .halt_on_error(flags.halt_on_error);
        let options = RunOptions::from(spec).analysis(analysis).control(control);
        Ok(directories.into_iter().fold(options, RunOptions::directory))
    }

    /// How many runs there are at the same time, if nothing is said of it.
    pub(crate) fn usual_jobs(&self) -> NonZeroUsize {
        // Runs at the same time would see each other's files.
        match self.flags.dir.is_empty() {
            true => thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            false => NonZeroUsize::MIN,
        }
    }

    /// What is to be said of a run.
    pub(crate) fn report<Io>(
        &self,
        program: &Program,
        symbolizer: &Symbolizer,
        options: &RunOptions,
        outcome: &Outcome<Io>,
    ) -> Report {
        let mut report = outcome.report(program, symbolizer, options);
        name_options(&mut report, &outcome.limits_reached, &options.spec.limits);
        report.program.module = self.command.module().display().to_string();
        let args = self.command.args().iter();
        report.program.arguments = args.map(|arg| arg.display().to_string()).collect();
        report.reproduce = Some(self.reproduce(&options.spec.schedule));
        report
    }

    /// The command that shows the same again.
    fn reproduce(&self, schedule: &Schedule) -> String {
        let mut words: Vec<OsString> = ["grind", "run"].map(OsString::from).to_vec();
        match schedule {
            Schedule::Strategy { strategy, seed } => {
                words.extend(["--seed".into(), seed.to_string().into()]);
                if *strategy != Strategy::default() {
                    words.extend(["--scheduler".into(), strategy.to_string().into()]);
                }
            }
            Schedule::Decisions(_) => {
                words.push("--schedule".into());
                words.extend(self.schedule.map(quote::path));
            }
        }
        words.extend(self.flags.again.0.iter().cloned());
        words.push(quote::path(self.command.module()));
        let args = self.command.args();
        // The first of these would be taken as the end of grind's own.
        words.extend((args.first()).filter(|first| *first == "--").cloned());
        words.extend(args.iter().cloned());
        quote::joined(words.iter().map(OsString::as_os_str))
    }

    /// Writes the report, and lines for a suppression file if they were asked for; refuses suppressions that hid nothing, if that was, and the
    /// runs had the time to show what they hide.
    pub(crate) fn tell(
        &self,
        mut report: Report,
        outputs: Outputs<'_>,
        (config, program): (&Config, &Program),
        suppressions: &Suppressions,
        had_time: bool,
    ) -> Result<()> {
        // Otherwise a file could make all of it silent.
        if report.is_clean() && !self.flags.config.file.trust_config {
            report.notes.extend(config.intercepts(program));
        }
        let lines = self.suppression_lines(&report);
        outputs.write(report)?;
        say::err(&lines)?;
        match had_time && signals::came().is_none() {
            true => self.deny_unused(suppressions),
            false => Ok(()),
        }
    }

    fn suppression_lines(&self, report: &Report) -> String {
        if !self.flags.gen_suppressions {
            return String::new();
        }
        let mut lines: Vec<String> = (report.findings.iter())
            .filter_map(|finding| Some(format!("{}\n", suppress::line_for(finding)?)))
            .collect();
        lines.sort();
        lines.dedup();
        lines.concat()
    }

    fn deny_unused(&self, suppressions: &Suppressions) -> Result<()> {
        let unused: Vec<String> = (suppressions.unused())
            .map(|one| format!("\n  {}: {one}", one.origin))
            .collect();
        match self.flags.deny_unused_suppressions && !unused.is_empty() {
            true => {
                let text = format!("suppressions that hid nothing:{}", unused.concat());
                Err(Usage(text).into())
            }
            false => Ok(()),
        }
    }
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
