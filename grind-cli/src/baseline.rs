//! `grind baseline`

use crate::cli::{BaselineArgs, BaselineCommand};
use crate::report::read;
use anyhow::{Context, Result};
use grind_runtime::report::baseline::{Baseline, Update};
use grind_runtime::report::json;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

pub(crate) fn baseline(args: &BaselineArgs) -> Result<u8> {
    let BaselineCommand::Update { file, results } = &args.command;
    update(file, results)?;
    Ok(0)
}

/// The file becomes what the results show.
fn update(file: &Path, results: &[PathBuf]) -> Result<()> {
    let shown = || file.display().to_string();
    // A file that is something else stays as it is.
    let earlier = match file.try_exists().with_context(shown)? {
        true => Baseline::from_text(&read(file)?).with_context(shown)?,
        false => Baseline::default(),
    };
    let mut baseline = Baseline::default();
    for result in results {
        let report =
            json::from_str(&read(result)?).with_context(|| result.display().to_string())?;
        baseline.add(&report);
    }
    baseline.keep_titles(&earlier);
    fs::write(file, baseline.to_text()).with_context(|| format!("cannot write {}", shown()))?;
    let Update {
        added,
        removed,
        kept,
    } = baseline.since(&earlier);
    let path = shown();
    writeln!(
        anstream::stdout(),
        "{path}: {added} added, {removed} removed, {kept} kept"
    )?;
    Ok(())
}
