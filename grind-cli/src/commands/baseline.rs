//! `grind baseline`

use crate::input::stored::read;
use crate::output::say;
use crate::output::say::Shown as _;
use crate::process::whole_file::Place;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use grind_runtime::report::baseline::{Baseline, Update};
use grind_runtime::report::json;
use std::path::{Path, PathBuf};

pub(crate) const EXAMPLES: &str = "\
Examples:
  grind run --report json=r.json app.wasm        keep a report
  grind baseline update baseline.json r.json     its findings are known from now on
  grind run --baseline baseline.json app.wasm    fail only on new ones";

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    #[command(subcommand)]
    pub(crate) command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Make the baseline what these results show: adds what is new, removes what is gone
    #[command(after_help = EXAMPLES)]
    Update {
        /// The baseline; it is created if there is none
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Reports of the kind json
        #[arg(value_name = "RESULT.json", required = true)]
        results: Vec<PathBuf>,
    },
}

pub(crate) fn baseline(args: &BaselineArgs) -> Result<u8> {
    let BaselineCommand::Update { file, results } = &args.command;
    update(file, results)?;
    Ok(0)
}

/// The file becomes what the results show.
fn update(file: &Path, results: &[PathBuf]) -> Result<()> {
    let shown = || file.shown();
    // A file that is something else stays as it is.
    let earlier = match file.try_exists().with_context(shown)? {
        true => Baseline::from_text(&read(file)?).with_context(shown)?,
        false => Baseline::default(),
    };
    let mut baseline = Baseline::default();
    for result in results {
        let report = json::from_str(&read(result)?).with_context(|| result.shown())?;
        baseline.add(&report);
    }
    baseline.keep_titles(&earlier);
    let cannot = || format!("cannot write {}", shown());
    let place = Place::find(file).with_context(cannot)?;
    (place.write(baseline.to_text().as_bytes())).with_context(cannot)?;
    let Update {
        added,
        removed,
        kept,
    } = baseline.since(&earlier);
    let path = shown();
    say::out(&format!(
        "{path}: {added} added, {removed} removed, {kept} kept\n"
    ))
}
