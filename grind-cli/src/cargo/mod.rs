//! `cargo grind`: from a crate to a report.

mod args;
mod build;
mod init;
mod select;
mod toolchain;

use crate::args::guest::GuestCommand;
use crate::args::report::of_program;
use crate::args::run::{RunArgs, RunFlags};
use crate::args::values::Color;
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

/// Reads the command line, whether cargo started the command or a person did.
///
/// # Errors
/// If what it is completed by, from files and the environment, cannot be read.
pub(crate) fn parse(keys: &Keys, mut args: Vec<OsString>) -> Result<CargoCli> {
    if args.get(1).is_some_and(|first| first == "grind") {
        args.remove(1);
    }
    settings::parse(keys, args, &["run", "test"], |cli: &CargoCli| {
        match &cli.command {
            CargoCommand::Run(args) | CargoCommand::Test(args) => manifest(keys, &args.build),
            CargoCommand::Init(_) => Ok(Layer::default()),
        }
    })
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
        CargoCommand::Run(args) => run(args, Wanted::Program),
        CargoCommand::Test(args) => run(args, Wanted::Tests),
        CargoCommand::Init(args) => init::init(&args),
    }
}

fn run(args: CargoRunArgs, wanted: Wanted) -> Result<u8> {
    let programs = match build::build(&args.build, wanted)? {
        Built::Programs(programs) => programs,
        // Cargo has said why.
        Built::Failed(code) => return Ok(code),
    };
    let several = programs.len() > 1;
    let mut code = 0;
    for program in programs {
        let mut flags = args.flags.clone();
        if several {
            flags.guest.report = flags.guest.report.of_program(&program.name);
            flags.trace = flags.trace.of_program(&program.name);
            for path in [&mut flags.schedule, &mut flags.save_schedule] {
                *path = path.as_deref().map(|path| of_program(path, &program.name));
            }
        }
        let module = shown(&program.module);
        if wanted == Wanted::Tests && !flags.guest.report.quiet {
            let name = &program.name;
            let module = module.shown();
            say::err(&format!("grind: running {name} ({module})\n"))?;
        }
        let command = [module.as_os_str()].into_iter();
        let command = command.chain(args.args.iter().map(OsString::as_os_str));
        let run = RunArgs {
            flags,
            command: GuestCommand {
                command: command.map(OsStr::to_owned).collect(),
            },
        };
        code = worse(code, crate::commands::run::run(&run)?);
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
