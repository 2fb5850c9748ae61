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

const INFO_EXAMPLES: &str = "\
Examples:
  grind run --trace app.wasm
  grind trace info app.grind    module, arguments, seed, how many events, how it ended";

const DUMP_EXAMPLES: &str = "\
Examples:
  grind trace dump app.grind | head -50        the first lines
  grind trace dump --thread 2 app.grind        what T2 did
  grind trace dump --stacks app.grind > all    with the call stack of each event";

const STAT_EXAMPLES: &str = "\
Examples:
  grind trace stat app.grind    events by kind and thread, the locks most waited for";

const DIFF_EXAMPLES: &str = "\
Examples:
  grind run --trace=a.grind --seed 1 app.wasm
  grind run --trace=b.grind --seed 2 app.wasm
  grind trace diff a.grind b.grind    the first event that differs; exit code 65 if one does";

const EXPORT_EXAMPLES: &str = "\
Examples:
  grind trace export --format chrome -o app.json app.grind     open it in ui.perfetto.dev
  grind trace export --format jsonl app.grind | head           to look at, or for scripts
  grind trace export --format std -o app.std full.grind        for RAPID, of a full trace
  grind trace export --format rapidbin -o app.bin full.grind   the same, binary";

const IMPORT_EXAMPLES: &str = "\
Examples:
  grind trace import --format std -o other.grind other.std
  grind analyze other.grind    what is predicted of it";

#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Say what ran, how, and how it ended
    #[command(after_help = INFO_EXAMPLES)]
    Info(look::FileArgs),
    /// List what happened, in order
    #[command(after_help = DUMP_EXAMPLES)]
    Dump(look::DumpArgs),
    /// Count: events, threads, and which locks were waited for
    #[command(after_help = STAT_EXAMPLES)]
    Stat(look::FileArgs),
    /// Find the first difference of two traces
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(compare::DiffArgs),
    /// Write a trace in another format
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(convert::ExportArgs),
    /// Make a trace of another tool's
    #[command(after_help = IMPORT_EXAMPLES)]
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
