//! STD, a text format of traces: one event per line, `thread|op(operand)|location`.
//!
//! `op` is one of `r w acq rel fork join`, or `begin`, `end` with or without an operand, which means nothing. `req`,
//! `wait` and `notify` are an extension and have to be asked for. Names are any text without `|`; a location is a
//! number below 2^32. Lines end with a line feed, which may follow a carriage return and may be missing at the end of
//! the file.

use crate::predict::algorithms::event::{Event, MAX_EVENTS, Op, ReadError, Source};
use crate::predict::algorithms::names::{Names, Operand};
use std::io::{self, BufRead, Read as _, Write};

/// Longer lines are an error.
const MAX_LINE: u64 = 4096;

const OPS: [(&str, Op, bool); 14] = [
    ("r", Op::Read, false),
    ("w", Op::Write, false),
    ("acq", Op::Acquire, false),
    ("rel", Op::Release, false),
    ("fork", Op::Fork, false),
    ("join", Op::Join, false),
    ("begin", Op::Begin, false),
    ("end", Op::End, false),
    ("req", Op::Request, true),
    ("wait", Op::Wait, true),
    ("notify", Op::Notify, true),
    // Written only: these names are read as the first two.
    ("wait", Op::Needs, true),
    ("wait", Op::Load, true),
    ("notify", Op::Store, true),
];

/// Whether `req`, `wait` and `notify` are events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extensions {
    /// They are errors.
    #[default]
    Off,
    /// They are.
    On,
}

/// Reads a trace.
#[derive(Debug)]
pub struct StdReader<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    extensions: Extensions,
    names: Names<String>,
}

impl<R: BufRead> StdReader<R> {
    /// Reads from `input`.
    pub fn new(input: R, extensions: Extensions) -> Self {
        StdReader {
            input,
            line: Vec::new(),
            number: 0,
            extensions,
            names: Names::default(),
        }
    }

    /// The names of what was read so far.
    pub fn names(&self) -> &Names<String> {
        &self.names
    }
}

impl<R: BufRead> Source for StdReader<R> {
    fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        self.line.clear();
        let read = self
            .input
            .by_ref()
            .take(MAX_LINE + 1)
            .read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let bad = |expected: &'static str, found: &[u8]| ReadError::Line {
            line: self.number,
            expected,
            found: shortened(found),
        };
        if self.number > u64::from(MAX_EVENTS) {
            return Err(ReadError::TooMany {
                event: self.number,
                what: "events",
                limit: MAX_EVENTS,
            });
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        if line.len() as u64 >= MAX_LINE {
            return Err(bad("a line of less than 4096 bytes", line));
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|_| bad("UTF-8", line))?;
        let mut fields = text.split('|');
        let (Some(thread), Some(what), Some(location), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(bad("`thread|op(operand)|location`", line));
        };
        if thread.is_empty() {
            return Err(bad("the name of a thread before the first `|`", line));
        }
        let location = number(location)
            .ok_or_else(|| bad("a location, a number below 2^32,", location.as_bytes()))?;
        let (name, operand) = match what.split_once('(') {
            Some((name, rest)) => {
                let operand = rest
                    .strip_suffix(')')
                    .ok_or_else(|| bad("`)` after the operand", line))?;
                (name, Some(operand))
            }
            None => (what, None),
        };
        let op = OPS
            .iter()
            .find(|(known, _, extension)| {
                *known == name && (!extension || self.extensions == Extensions::On)
            })
            .map(|&(_, op, _)| op)
            .ok_or_else(|| {
                bad(
                    "one of r, w, acq, rel, fork, join, begin, end",
                    name.as_bytes(),
                )
            })?;
        let kind = op.operand();
        let operand = operand.filter(|operand| !operand.is_empty());
        if operand.is_none() && kind != Operand::Nothing {
            return Err(bad("`op(operand)`", what.as_bytes()));
        }
        Ok(Some(Event {
            op,
            thread: self.names.number(Operand::Thread, thread, self.number)?,
            operand: self
                .names
                .number(kind, operand.unwrap_or_default(), self.number)?,
            location,
        }))
    }
}

/// `parse` takes a sign, too.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn shortened(found: &[u8]) -> String {
    let text = String::from_utf8_lossy(found);
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// Writes `event` as a line. What `names` does not know, or all without it, is called by a letter and its number: `T0`
/// a thread, `L0` a lock, `V0` a variable, `C0` a condition.
///
/// # Errors
/// Those of `out`. Names with `|` or a line feed in them are [`io::ErrorKind::InvalidInput`], for they would not be
/// read back.
pub fn write_std(
    out: &mut impl Write,
    event: &Event,
    names: Option<&Names<String>>,
) -> io::Result<()> {
    write_name(out, Operand::Thread, event.thread, names)?;
    let name = OPS
        .iter()
        .find(|(_, op, _)| *op == event.op)
        .map_or("", |(name, ..)| name);
    write!(out, "|{name}")?;
    let kind = event.op.operand();
    if kind != Operand::Nothing {
        out.write_all(b"(")?;
        write_name(out, kind, event.operand, names)?;
        out.write_all(b")")?;
    }
    writeln!(out, "|{}", event.location)
}

fn write_name(
    out: &mut impl Write,
    operand: Operand,
    number: u32,
    names: Option<&Names<String>>,
) -> io::Result<()> {
    if let Some(name) = names.and_then(|names| names.name(operand, number)) {
        if name.is_empty() || name.contains(['|', '\n', '\r']) {
            let message = format!("the name {name:?} cannot be written in this format");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        return out.write_all(name.as_bytes());
    }
    let letter = match operand {
        Operand::Thread => 'T',
        Operand::Lock => 'L',
        Operand::Condition => 'C',
        Operand::Variable | Operand::Nothing => 'V',
    };
    write!(out, "{letter}{number}")
}
