//! The module a user names.

use crate::input::text::{self, Steps};
use crate::output::error;
use crate::output::say::{self, Shown as _};
use anyhow::{Context, Result};
use grind_runtime::program::ProgramError;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a module, as in browsers.
const LARGEST: u64 = 1 << 30;

/// A device or a pipe may have no end.
fn read_at_most(path: &Path, limit: u64) -> io::Result<Result<Vec<u8>, ProgramError>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(if bytes.len() as u64 > limit {
        Err(ProgramError::TooLarge(format!(
            "the file has more than {} MiB",
            limit >> 20
        )))
    } else {
        Ok(bytes)
    })
}

/// Reads a module; text is assembled, with debug lines that point into it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let is_text = path.extension().is_some_and(|extension| extension == "wat");
    let limit = if is_text { text::LONGEST } else { LARGEST };
    error::is_file(path)?;
    let bytes = read_at_most(path, limit).with_context(|| path.shown())?;
    let bytes = bytes.with_context(|| path.shown())?;
    if is_text {
        return assemble(path, &bytes);
    }
    Ok(bytes)
}

fn assemble(path: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let steps = str::from_utf8(bytes).map(Steps::of).unwrap_or_default();
    steps.check_labels().with_context(|| path.shown())?;
    let mut parser = wat::Parser::new();
    if steps.has_lines() {
        parser.generate_dwarf(wat::GenerateDwarf::Lines);
    } else {
        let path = path.shown();
        say::err(&format!(
            "grind: warning: {path}: its lines are too long, or its expressions too deep, to find the lines of its instructions\n"
        ))?;
    }
    let wasm = parser.parse_bytes(Some(path), bytes);
    wasm.map(Cow::into_owned).with_context(|| path.shown())
}
