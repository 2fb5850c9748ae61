//! The module a user names.

use crate::error::NotFound;
use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Reads a module; text is assembled, with debug lines that point into it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let path = path.display().to_string();
            return Err(NotFound { path }.into());
        }
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    if path.extension().is_some_and(|extension| extension == "wat") {
        return wat::Parser::new()
            .generate_dwarf(wat::GenerateDwarf::Lines)
            .parse_bytes(Some(path), &bytes)
            .map(std::borrow::Cow::into_owned)
            .with_context(|| path.display().to_string());
    }
    Ok(bytes)
}
