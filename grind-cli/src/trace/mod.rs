//! `grind trace`: looking at traces, and other tools' traces.

mod compare;
mod convert;
mod look;

use anyhow::Result;
use clap::Subcommand;

pub(crate) const EXAMPLES: &str = "\
Examples:
  grind trace info app.grind                              what ran, and how it ended
  grind trace dump app.grind | head                       what happened, one line each
  grind trace stat app.grind                              counts, locks, threads
  grind trace diff a.grind b.grind                        where two runs part
  grind trace export --format chrome -o app.json app.grind  for ui.perfetto.dev
  grind trace import --format std -o other.grind other.std";

#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Say what ran, how, and how it ended
    Info(look::FileArgs),
    /// List what happened, in order
    Dump(look::DumpArgs),
    /// Count: events, threads, and which locks were waited for
    Stat(look::FileArgs),
    /// Find the first difference of two traces
    Diff(compare::DiffArgs),
    /// Write a trace in another format
    Export(convert::ExportArgs),
    /// Make a trace of another tool's
    Import(convert::ImportArgs),
}

pub(crate) fn trace(command: &TraceCommand) -> Result<u8> {
    match command {
        TraceCommand::Info(args) => look::info(args),
        TraceCommand::Dump(args) => look::dump(args),
        TraceCommand::Stat(args) => look::stat(args),
        TraceCommand::Diff(args) => compare::diff(args),
        TraceCommand::Export(args) => convert::export(args),
        TraceCommand::Import(args) => convert::import(args),
    }
}
