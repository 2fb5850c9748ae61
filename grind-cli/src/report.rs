//! `grind report`

use crate::cli::ConvertArgs;
use crate::config::Config;
use crate::error::{self, Unfit};
use crate::report_args::{Always, Stream};
use crate::say::Shown as _;
use anyhow::{Context, Result};
use grind_runtime::report::json;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Largest report read.
const MAX_BYTES: u64 = 1 << 30;

pub(crate) fn report(args: &ConvertArgs) -> Result<u8> {
    // For what it says of unknown keys.
    Config::load(&args.config)?;
    let outputs = (args.report).open(Stream::Stdout, Always::Nothing, &[&args.file])?;
    let report = json::from_str(&read(&args.file)?).with_context(|| args.file.shown())?;
    outputs.write(report)?;
    Ok(0)
}

/// The text of a stored report.
pub(crate) fn read(path: &Path) -> Result<String> {
    let shown = || path.shown();
    let source: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        error::is_file(path)?;
        Box::new(File::open(path).with_context(shown)?)
    };
    let mut text = String::new();
    let read = source.take(MAX_BYTES + 1).read_to_string(&mut text);
    let len = match read {
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return Err(Unfit(format!("{}: this is no text", shown())).into());
        }
        read => read.with_context(shown)?,
    };
    if len as u64 > MAX_BYTES {
        return Err(Unfit(format!(
            "{}: reports beyond {} MiB are not read",
            shown(),
            MAX_BYTES >> 20
        ))
        .into());
    }
    Ok(text)
}
