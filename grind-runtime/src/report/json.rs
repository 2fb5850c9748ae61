//! The machine-readable report.
//!
//! One JSON object. Its first field, `schema`, is the version of this format; a reader accepts exactly the
//! versions it knows. Within a version, fields and enumeration values are added, never removed, renamed
//! or given another meaning: ignore those you do not know. Fields come in a fixed order, so that equal
//! reports are equal texts.
//!
//! | field | what it is |
//! |---|---|
//! | `schema` | `1` |
//! | `tool` | `name` and `version` of what wrote it |
//! | `program` | `module` (path), `arguments`, `symbols`: `"dwarf"`, `"name-section"`, `"offset"` or null |
//! | `seed`, `scheduler` | what decided the schedule; null if unknown |
//! | `exit` | `how`: `"exited"` (`code`), `"trapped"` (`thread`, `name`, `reason`, `stack`), `"deadlocked"`, `"stopped"` (`reason`); or null |
//! | `reproduce` | a shell command, or null |
//! | `findings` | see below, in the order found |
//! | `limits`, `warnings` | sentences for people |
//!
//! A finding has `kind` (`"data-race"`, `"deadlock"`, `"lost-wakeup"`, `"unlock-not-held"`), `fingerprint` (16
//! hexadecimal digits, see [`super::fingerprint`]), `title`, `count`, `threads`, and one of
//!
//! - `race`: `address`, `size` (the bytes in common), `accesses` (two: `thread`, `write`, `means`, `address`,
//!   `size`, `stack`, `locks`), `heap_block` (or null);
//! - `blocked`: `cycle` (thread numbers; empty without one), `threads` (`thread`, `waits_for`, `stack`, `locks`);
//! - `unlock`: `address`, `name`, `thread`, `stack`, `holders`.
//!
//! A `stack` is a list of frames, innermost first: `function`, `file`, `line`, `column` (each may be null),
//! `inlined` (into the next frame), `func_index`, `offset` (of the instruction, in the module's file), `source`
//! (`"dwarf"`, `"name-section"`, `"export"`, `"offset"`). Addresses are numbers; threads are their numbers,
//! 0 is the main one. Strings are what the guest said, unchanged: escape them before showing them. A seed
//! can exceed 2^53, which JavaScript rounds; `reproduce` has it as text.

use super::Report;
use super::text::is_unprintable;
use serde::{Deserialize, Serialize};

/// The version that [`to_string`] writes.
pub const SCHEMA: u32 = 1;

/// A text that is not a report we can read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// Not JSON, or not of this shape.
    #[error("not a grind report: {0}")]
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
    let mut printable = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        // Such a character can only be within a string, where its escape means the same. JSON demands it
        // of the first 32 only, but terminals and editors obey others as well.
        if c != '\n' && is_unprintable(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                printable.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            printable.push(c);
        }
    }
    printable.push('\n');
    printable
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
            writer: super::text::clean(&super::text::shorten(&writer, 60)),
        });
    }
    Ok(serde_json::from_str(text)?)
}
