//! `grind check`

use crate::args::check::CheckArgs;
use crate::args::report::{Always, Stream};
use crate::commands::guest::Guest;
use crate::commands::many;
use crate::process::signals;
use crate::settings::file::Config;
use anyhow::Result;
use grind_runtime::explore::{Rotation, SeedRange};
use grind_runtime::report::Command;
use std::sync::Arc;

pub(crate) const EXAMPLES: &str = "\
Examples:
  grind check app.wasm                       up to 1000 schedules, on all cores, until one fails
  grind check --time 60s --keep-going app.wasm  whatever a minute shows
  grind check --strategy pct:3,pos app.wasm  schedules of these strategies only
  grind check --invoke test app.wasm         of another entry

A finding ends with the command that runs its schedule again.";

pub(crate) fn run(args: &CheckArgs) -> Result<u8> {
    let (flags, module) = (&args.flags, args.command.module());
    let guest = Guest {
        flags: &flags.guest,
        command: &args.command,
        schedule: None,
    };
    let config = Config::find(&flags.guest.config.file)?;
    let mut suppressions = config.suppressions(&flags.guest.config.suppressions)?;
    let policy = flags.guest.policy.load()?;
    let outputs = (flags.guest.report).open(Stream::Stderr, Always::Printed, &[module])?;
    let wasm = crate::input::module::read(module)?;
    let options = guest.options(Arc::default())?;
    let program = guest.program(&wasm, &config)?;
    let _orderly = signals::orderly();
    let seeds = (flags.seeds).unwrap_or_else(|| SeedRange::first_of(flags.schedules));
    let job = many::Job {
        guest,
        program: &program,
        options: &options,
        total: seeds.len(),
        jobs: flags.jobs.unwrap_or_else(|| guest.usual_jobs()),
        fail_fast: !flags.keep_going,
        time: flags.time,
    };
    let strategies = flags.strategy.clone().unwrap_or_default();
    let mut explorer = Rotation::of(strategies.0, seeds);
    let (mut report, code) = many::run(&job, &mut explorer, &mut suppressions, &policy)?;
    report.command = Command::Check;
    // One that ends at its first finding does not show what they hide.
    let had_time = flags.keep_going;
    guest.tell(
        report,
        outputs,
        (&config, &program),
        &suppressions,
        had_time,
    )?;
    Ok(code)
}
