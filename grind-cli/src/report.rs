//! `grind report`

use crate::cli::ConvertArgs;
use crate::config::Config;
use crate::error::NotFound;
use crate::report_args::{Always, Stream};
use crate::say::Shown as _;
use anyhow::{Context, Result, bail};
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
        match File::open(path) {
            Ok(file) => Box::new(file),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(NotFound { path: shown() }.into());
            }
            Err(error) => return Err(error).with_context(shown),
        }
    };
    let mut text = String::new();
    let read = source.take(MAX_BYTES + 1).read_to_string(&mut text);
    let len = match read {
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            bail!("{}: this is no text", shown())
        }
        read => read.with_context(shown)?,
    };
    if len as u64 > MAX_BYTES {
        bail!(
            "{}: reports beyond {} MiB are not read",
            shown(),
            MAX_BYTES >> 20
        );
    }
    Ok(text)
}
