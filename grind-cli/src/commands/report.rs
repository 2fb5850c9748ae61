//! `grind report`

use crate::args::config::ConfigFile;
use crate::args::report::ReportArgs;
use crate::args::report::{Always, Stream};
use crate::input::stored::read;
use crate::output::say::Shown as _;
use anyhow::{Context, Result};
use clap::Args;
use grind_runtime::report::json;
use std::path::PathBuf;

pub(crate) const EXAMPLES: &str = "\
Examples:
  grind run --report json=r.json app.wasm         keep a report
  grind report r.json                             read it
  grind report r.json --report sarif=r.sarif      convert it
  grind report r.json --format markdown --strip-prefix /build/app";

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    /// A report of the kind json; `-` for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

pub(crate) fn report(args: &ConvertArgs) -> Result<u8> {
    let outputs = (args.report).open(Stream::Stdout, Always::Nothing, &[&args.file])?;
    let report = json::from_str(&read(&args.file)?).with_context(|| args.file.shown())?;
    outputs.write(report)?;
    Ok(0)
}
