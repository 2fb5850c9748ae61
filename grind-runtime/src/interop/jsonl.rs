//! JSON Lines: the header, then one object for each thing that happened, then how it ended.

use super::InteropError;
use crate::model::sites::{SiteId, SiteKind, SiteTable};
use crate::model::{Event, ScheduleName, ThreadId};
use crate::trace::{Entry, TraceEnd, TraceReader};
use serde::Serialize;
use std::io::{Read, Write};
use std::sync::Arc;

/// A line.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Line<'a> {
    Header {
        grind: &'a str,
        module: &'a str,
        module_sha256: String,
        schedule: ScheduleName,
        detail: crate::trace::Detail,
    },
    Slice {
        thread: u32,
        words: u32,
    },
    Random {
        bits: u64,
    },
    Act {
        tick: u64,
    },
    Input {
        bytes: usize,
    },
    Access {
        thread: u32,
        write: bool,
        address: u32,
        size: u32,
        offset: u32,
    },
    Call {
        thread: u32,
        offset: u32,
    },
    Return {
        thread: u32,
    },
    Event {
        number: u64,
        thread: u32,
        what: &'static str,
        text: String,
        /// Offsets in the module, innermost first.
        stack: Vec<u32>,
    },
    End {
        complete: bool,
    },
}

/// Writes a trace, and says how many lines.
///
/// # Errors
/// [`InteropError`].
pub fn write<R: Read>(mut trace: TraceReader<R>, mut out: impl Write) -> Result<u64, InteropError> {
    let mut lines = 0;
    let mut line = |line: Line<'_>| -> Result<(), InteropError> {
        serde_json::to_writer(&mut out, &line).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
        lines += 1;
        Ok(())
    };
    let header = trace.header().clone();
    line(Line::Header {
        grind: &header.grind,
        module: &String::from_utf8_lossy(&header.module),
        module_sha256: header.module_hash.to_string(),
        schedule: header.spec.schedule.name(),
        detail: header.detail,
    })?;
    let sites = Arc::clone(trace.sites());
    let mut number = 0;
    while let Some(entry) = trace.next_entry()? {
        match entry {
            Entry::Slice { slice, .. } => line(Line::Slice {
                thread: slice.thread.0,
                words: slice.words,
            })?,
            Entry::Random(bits) => line(Line::Random { bits })?,
            Entry::Input(bytes) => line(Line::Input { bytes: bytes.len() })?,
            Entry::Act { tick, .. } => line(Line::Act { tick })?,
            Entry::Records(thread) => {
                for record in trace.records().iter() {
                    if let Some(record) = of_record(&sites, thread, record) {
                        line(record)?;
                    }
                }
            }
            Entry::Event(Event { thread, kind }) => {
                number += 1;
                let stack = kind.site().into_iter().chain(trace.stack(thread));
                line(Line::Event {
                    number,
                    thread: thread.0,
                    what: kind.name(),
                    text: kind.to_string(),
                    stack: stack.map(|site| sites.get(site).offset).collect(),
                })?;
            }
        }
    }
    line(Line::End {
        complete: matches!(trace.end(), Some(TraceEnd::Complete(_))),
    })?;
    out.flush()?;
    Ok(lines)
}

fn of_record(
    sites: &SiteTable,
    thread: ThreadId,
    record: crate::model::Record,
) -> Option<Line<'static>> {
    let id: SiteId = record.site();
    let site = sites.get(id);
    let thread = thread.0;
    Some(match site.kind {
        SiteKind::Read | SiteKind::Write => Line::Access {
            thread,
            write: site.kind == SiteKind::Write,
            address: record.base().wrapping_add(site.displacement),
            size: site.width.into(),
            offset: site.offset,
        },
        SiteKind::Call => Line::Call {
            thread,
            offset: site.offset,
        },
        SiteKind::Return => Line::Return { thread },
        _ => return None,
    })
}
