//! `cargo grind`: from a crate to a report.

mod args;
mod build;
mod init;
mod select;
mod toolchain;

use crate::args::check::{CheckArgs, CheckFlags};
use crate::args::guest::GuestCommand;
use crate::args::report::of_program;
use crate::args::run::{RunArgs, RunFlags};
use crate::args::values::Color;
use crate::commands;
use crate::output::say::{self, Shown as _};
use crate::process::signals;
use crate::settings::keys::Keys;
use crate::settings::{self, Layer, file};
use anyhow::Result;
use args::BuildArgs;
use build::{Built, Wanted};
use clap::{Args, Parser, Subcommand};
use grind_runtime::session::ExitCode;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Run a crate, or its tests, under grind
#[derive(Debug, Parser)]
#[command(
    name = "cargo-grind",
    bin_name = "cargo grind",
    version,
    disable_help_subcommand = true
)]
pub(crate) struct CargoCli {
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    #[command(subcommand)]
    command: CargoCommand,
}

#[derive(Debug, Subcommand)]
enum CargoCommand {
    /// Build a program of the crate, and run it under the detectors
    #[command(after_help = RUN_EXAMPLES)]
    Run(CargoRunArgs),
    /// Build the tests of the crate, and run them under the detectors
    ///
    /// Tests run one after the other, unless the arguments of the tests say `--test-threads`. Where there are several
    /// test programs, `--report KIND=r.json` is written to `r.NAME.json` for each, and --trace-file likewise.
    #[command(after_help = TEST_EXAMPLES)]
    Test(CargoRunArgs),
    /// Build a program of the crate, or its tests, and run them under many schedules
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CargoCheckArgs),
    /// Write grind.toml and a workflow for GitHub Actions, where there are none yet
    #[command(after_help = INIT_EXAMPLES)]
    Init(init::InitArgs),
}

const RUN_EXAMPLES: &str = "\
Examples:
  cargo grind run                            the crate's program, under one schedule
  cargo grind run --seeds 0..100             under a hundred, on all cores
  cargo grind run --bin server -- --port 80  one of several programs, with arguments of its own
  cargo grind run --example demo --release   an example, with optimisations
  cargo grind run --report sarif=r.sarif     the options of `grind run` hold, except the module";

const TEST_EXAMPLES: &str = "\
Examples:
  cargo grind test                           all tests of the crate
  cargo grind test --lib -- queue            unit tests that have `queue` in their names
  cargo grind test --test stress --seeds 0..50
  cargo grind test -p my-crate --fail-on race,deadlock";

const CHECK_EXAMPLES: &str = "\
Examples:
  cargo grind check                          the crate's program, until a schedule shows a finding
  cargo grind check --tests --lib -- queue   unit tests that have `queue` in their names
  cargo grind check --time 60s --keep-going  whatever a minute shows";

const INIT_EXAMPLES: &str = "\
Examples:
  cargo grind init    files that exist stay as they are";

#[derive(Debug, Args)]
struct CargoRunArgs {
    #[command(flatten)]
    build: BuildArgs,
    #[command(flatten)]
    flags: RunFlags,
    /// Arguments of the program, or of the tests
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

#[derive(Debug, Args)]
struct CargoCheckArgs {
    #[command(flatten)]
    build: BuildArgs,
    /// Check the tests, and not a program
    #[arg(long)]
    tests: bool,
    #[command(flatten)]
    flags: CheckFlags,
    /// Arguments of the program, or of the tests
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<OsString>,
}

/// Reads the command line, whether cargo started the command or a person did.
///
/// # Errors
/// If what it is completed by, from files and the environment, cannot be read.
pub(crate) fn parse(keys: &Keys, mut args: Vec<OsString>) -> Result<CargoCli> {
    if args.get(1).is_some_and(|first| first == "grind") {
        args.remove(1);
    }
    settings::parse(
        keys,
        args,
        &["run", "test", "check"],
        |cli: &CargoCli| match &cli.command {
            CargoCommand::Run(args) | CargoCommand::Test(args) => manifest(keys, &args.build),
            CargoCommand::Check(args) => manifest(keys, &args.build),
            CargoCommand::Init(_) => Ok(Layer::default()),
        },
    )
}

/// What the package says in its `[package.metadata.grind]`.
fn manifest(keys: &Keys, args: &BuildArgs) -> Result<Layer> {
    let metadata = select::metadata(args.manifest_path.as_deref())?;
    let packages = select::packages(&metadata, args)?;
    let [package] = packages.as_slice() else {
        return Ok(Layer::default());
    };
    match package.metadata.get("grind") {
        Some(said) => file::manifest_layer(keys, package.manifest_path.as_std_path(), said),
        None => Ok(Layer::default()),
    }
}

pub(crate) fn dispatch(cli: CargoCli) -> Result<u8> {
    cli.color.write_global();
    match cli.command {
        CargoCommand::Run(args) => run(&args, Wanted::Program),
        CargoCommand::Test(args) => run(&args, Wanted::Tests),
        CargoCommand::Check(args) => check(&args),
        CargoCommand::Init(args) => init::init(&args),
    }
}

fn run(args: &CargoRunArgs, wanted: Wanted) -> Result<u8> {
    let quiet = args.flags.guest.report.quiet;
    let how = How {
        build: &args.build,
        wanted,
        args: &args.args,
        quiet,
    };
    each(&how, |of_several, command| {
        let mut flags = args.flags.clone();
        if let Some(name) = of_several {
            flags.guest.report = flags.guest.report.of_program(name);
            flags.trace = flags.trace.of_program(name);
            for path in [&mut flags.schedule, &mut flags.save_schedule] {
                *path = path.as_deref().map(|path| of_program(path, name));
            }
        }
        commands::run::run(&RunArgs { flags, command })
    })
}

fn check(args: &CargoCheckArgs) -> Result<u8> {
    let how = How {
        build: &args.build,
        wanted: match args.tests {
            true => Wanted::Tests,
            false => Wanted::Program,
        },
        args: &args.args,
        quiet: args.flags.guest.report.quiet,
    };
    each(&how, |of_several, command| {
        let mut flags = args.flags.clone();
        if let Some(name) = of_several {
            flags.guest.report = flags.guest.report.of_program(name);
        }
        commands::check::run(&CheckArgs { flags, command })
    })
}

/// What is built, and what is said of it.
struct How<'a> {
    build: &'a BuildArgs,
    wanted: Wanted,
    /// Arguments of the guest.
    args: &'a [OsString],
    quiet: bool,
}

/// Does something with each program that is built. It is told the program's name if there are several, so that they do not write to the same files.
fn each(
    how: &How<'_>,
    mut one: impl FnMut(Option<&str>, GuestCommand) -> Result<u8>,
) -> Result<u8> {
    let programs = match build::build(how.build, how.wanted)? {
        Built::Programs(programs) => programs,
        // Cargo has said why.
        Built::Failed(code) => return Ok(code),
    };
    let several = programs.len() > 1;
    let mut code = 0;
    for program in programs {
        let (name, module) = (&program.name, shown(&program.module));
        if how.wanted == Wanted::Tests && !how.quiet {
            let module = module.shown();
            say::err(&format!("grind: running {name} ({module})\n"))?;
        }
        let command = [module.as_os_str()].into_iter();
        let command = command.chain(how.args.iter().map(OsString::as_os_str));
        let command = GuestCommand {
            command: command.map(OsStr::to_owned).collect(),
        };
        code = worse(code, one(several.then_some(name), command)?);
        if signals::came().is_some() {
            break;
        }
    }
    Ok(code)
}

/// Of the exit codes of two programs the one to tell: findings before others, else the first.
fn worse(a: u8, b: u8) -> u8 {
    if a == 0 || b == ExitCode::Findings.code() {
        b
    } else {
        a
    }
}

/// The path as a person here would write it.
fn shown(path: &Path) -> &Path {
    let here = env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path)
}
