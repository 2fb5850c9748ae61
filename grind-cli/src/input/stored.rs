//! Text that grind wrote: reports and schedules.

use crate::output::error::{self, Unfit};
use crate::output::say::Shown as _;
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Largest file read.
const MAX_BYTES: u64 = 1 << 30;

/// The text of a file, or of standard input.
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
            "{}: files beyond {} MiB are not read",
            shown(),
            MAX_BYTES >> 20
        ))
        .into());
    }
    Ok(text)
}
