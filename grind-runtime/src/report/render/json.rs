//! The machine-readable report.
//!
//! One JSON object. Its first field, `schema`, is the version of this format; a reader accepts exactly the
//! versions it knows. Within a version, fields and enumeration values are added, never removed, renamed
//! or given another meaning: ignore those you do not know. Fields come in a fixed order, so that equal
//! reports are equal texts.
//!
//! `docs/report.schema.json` describes it, and a test holds it to that. Addresses are numbers; threads are their
//! numbers, 0 is the main one. Strings are what the guest said, unchanged: escape them before showing them. A seed
//! can exceed 2^53, which JavaScript rounds; `reproduce` has it as text.

use crate::report::finding::summary::Report;
use crate::report::text::is_unprintable;
use crate::report::text::log::shield_json;
use serde::{Deserialize, Serialize};

/// The version that [`to_string`] writes.
pub const SCHEMA: u32 = 1;

/// A text that is not a report we can read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not JSON, or not of this shape.
    #[error("not a grind report")]
    Malformed(#[from] serde_json::Error),
    /// A report of another version.
    #[error(
        "this report has format version {found}, but this grind reads version {SCHEMA}: \
         use the grind that wrote it ({writer}), or record it again"
    )]
    Version {
        /// The version found.
        found: u64,
        /// Name and version of the tool that wrote it.
        writer: String,
    },
}

#[derive(Serialize)]
struct Out<'a> {
    schema: u32,
    tool: Tool,
    #[serde(flatten)]
    report: &'a Report,
}

#[derive(Serialize, Deserialize)]
struct Tool {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Head {
    schema: u64,
    tool: Option<Tool>,
}

/// The report as JSON text, indented, with a newline at its end.
#[must_use]
pub fn to_string(report: &Report) -> String {
    let out = Out {
        schema: SCHEMA,
        tool: Tool {
            name: "grind".into(),
            version: env!("CARGO_PKG_VERSION").into(),
        },
        report,
    };
    let text = serde_json::to_string_pretty(&out)
        .expect("a report has string keys only and writes to memory");
    let mut printable = printable(&text);
    printable.push('\n');
    printable
}

/// JSON text with everything escaped that must not reach a terminal or be a command to a CI server. JSON demands it of the first 32 characters
/// only, but terminals and editors obey others as well. Such a character can only be within a string, where its
/// escape means the same.
pub(in crate::report) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if c != '\n' && is_unprintable(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                printable.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            printable.push(c);
        }
    }
    shield_json(&printable)
}

/// Reads what [`to_string`] wrote.
///
/// # Errors
/// If the text is no report, or one of another version.
pub fn from_str(text: &str) -> Result<Report, JsonError> {
    let head: Head = serde_json::from_str(text)?;
    if head.schema != u64::from(SCHEMA) {
        let writer = head
            .tool
            .map_or_else(|| "unknown".into(), |t| format!("{} {}", t.name, t.version));
        return Err(JsonError::Version {
            found: head.schema,
            writer: crate::report::text::clean(&crate::report::text::shorten(&writer, 60)),
        });
    }
    Ok(serde_json::from_str(text)?)
}
