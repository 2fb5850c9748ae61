//! RapidBin, a binary format of traces.
//!
//! Big-endian. A header: i16 number of threads, i32 of locks, i32 of variables, i64 of events. Then that many events
//! of 8 bytes; from the low end 10 bits of thread, 4 of op, 34 of operand, 15 of location, and a zero. An op is 0
//! acquire, 1 release, 2 read, 3 write, 4 fork, 5 join, 8 request.
//!
//! Nothing is allocated by the counts of the header: they only bound what follows. There may be less different
//! threads, locks and variables than the header says, but not more, and they need not be numbered densely.

use crate::predict::algorithms::event::{Event, MAX_EVENTS, Op, ReadError, Source};
use crate::predict::algorithms::names::{Names, Operand};
use std::io::{self, Read, Seek, SeekFrom, Write};
use thiserror::Error;

const HEADER: u64 = 18;
const EVENT: u64 = 8;

const OPS: [(u64, Op); 7] = [
    (0, Op::Acquire),
    (1, Op::Release),
    (2, Op::Read),
    (3, Op::Write),
    (4, Op::Fork),
    (5, Op::Join),
    (8, Op::Request),
];

const THREAD: Field = Field {
    at: 0,
    bits: 10,
    what: "thread",
};
const OP: Field = Field {
    at: 10,
    bits: 4,
    what: "op",
};
const OPERAND: Field = Field {
    at: 14,
    bits: 34,
    what: "operand",
};
const LOCATION: Field = Field {
    at: 48,
    bits: 15,
    what: "location",
};

struct Field {
    at: u32,
    bits: u32,
    what: &'static str,
}

impl Field {
    fn get(&self, word: u64) -> u64 {
        word >> self.at & ((1 << self.bits) - 1)
    }

    fn put(&self, value: u64, event: u64) -> Result<u64, WriteError> {
        if value >> self.bits != 0 {
            return Err(WriteError::Unfit {
                event,
                what: self.what,
                value,
                bits: self.bits,
            });
        }
        Ok(value << self.at)
    }
}

/// How many there are of what a header counts: threads, locks, variables.
const COUNTED: [(Operand, &str); 3] = [
    (Operand::Thread, "threads"),
    (Operand::Lock, "locks"),
    (Operand::Variable, "variables"),
];

/// Reads a trace. `input` should be buffered.
#[derive(Debug)]
pub struct RapidBinReader<R> {
    input: R,
    counts: [u64; 3],
    events: u64,
    read: u64,
    names: Names<u64>,
}

impl<R: Read> RapidBinReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// If there is none, or it has counts below zero or beyond the limits of this program.
    pub fn new(mut input: R) -> Result<Self, ReadError> {
        let bad = |offset: u64, problem: String| ReadError::Binary { offset, problem };
        let mut header = [0; HEADER as usize];
        let length = fill(&mut input, &mut header)?;
        if length < header.len() {
            return Err(bad(
                0,
                format!("a header has {HEADER} bytes, there are {length}"),
            ));
        }
        let integer = |at: usize, length: usize| {
            let bytes = &header[at..at + length];
            let high = if bytes[0] >= 0x80 { -1 } else { 0 };
            bytes
                .iter()
                .fold(high, |value: i64, &byte| value << 8 | i64::from(byte))
        };
        let mut counts = [0; 4];
        for (count, (at, length, limit, what)) in counts.iter_mut().zip([
            (0, 2, 1 << THREAD.bits, "threads"),
            (
                2,
                4,
                i64::from(crate::predict::algorithms::event::MAX_LOCKS),
                "locks",
            ),
            (
                6,
                4,
                i64::from(crate::predict::algorithms::event::MAX_VARIABLES),
                "variables",
            ),
            (10, 8, i64::from(MAX_EVENTS), "events"),
        ]) {
            let value = integer(at, length);
            if !(0..=limit).contains(&value) {
                let problem = format!("{value} {what}, where 0 to {limit} are possible");
                return Err(bad(at as u64, problem));
            }
            *count = value as u64;
        }
        let [threads, locks, variables, events] = counts;
        Ok(RapidBinReader {
            input,
            counts: [threads, locks, variables],
            events,
            read: 0,
            names: Names::default(),
        })
    }

    /// What was read so far is called in the file.
    pub fn names(&self) -> &Names<u64> {
        &self.names
    }

    fn decode(&mut self, word: u64, offset: u64) -> Result<Event, ReadError> {
        let bad = |problem: String| ReadError::Binary { offset, problem };
        if word >> 63 != 0 {
            return Err(bad("the highest bit of an event is not zero".to_owned()));
        }
        let code = OP.get(word);
        let op = OPS
            .iter()
            .find(|(known, _)| *known == code)
            .map(|&(_, op)| op);
        let op = op.ok_or_else(|| bad(format!("no event has op {code}")))?;
        let kind = op.operand();
        let event = Event {
            op,
            thread: self
                .names
                .number(Operand::Thread, &THREAD.get(word), self.read)?,
            operand: self.names.number(kind, &OPERAND.get(word), self.read)?,
            location: LOCATION.get(word) as u32,
        };
        for ((operand, what), &count) in COUNTED.into_iter().zip(&self.counts) {
            if self.names.count(operand) as u64 > count {
                return Err(bad(format!("more {what} than the {count} of the header")));
            }
        }
        Ok(event)
    }
}

impl<R: Read> Source for RapidBinReader<R> {
    fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        let offset = HEADER + self.read * EVENT;
        let bad = |problem: String| Err(ReadError::Binary { offset, problem });
        let mut word = [0; EVENT as usize];
        let length = fill(&mut self.input, &mut word)?;
        let done = self.read == self.events;
        match (done, length) {
            (true, 0) => return Ok(None),
            (true, _) => {
                return bad(format!(
                    "more than the {} events of the header",
                    self.events
                ));
            }
            (false, 0) => {
                return bad(format!(
                    "the file ends after {} of {} events",
                    self.read, self.events
                ));
            }
            (false, length) if length < word.len() => {
                return bad(format!("the file ends within event {}", self.read + 1));
            }
            (false, _) => {}
        }
        self.read += 1;
        self.decode(u64::from_be_bytes(word), offset).map(Some)
    }
}

/// How many bytes there were, up to all.
fn fill(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < bytes.len() {
        match input.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Why a trace cannot be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The writer failed.
    #[error("the trace cannot be written")]
    Io(#[from] io::Error),
    /// A number is too large for the format.
    #[error("event {event}: {what} {value} does not fit {bits} bits")]
    Unfit {
        /// Counted from 1.
        event: u64,
        /// Which part of it.
        what: &'static str,
        /// The number.
        value: u64,
        /// What there is for it.
        bits: u32,
    },
    /// The format has no such event.
    #[error("event {event}: the format has no {op:?}")]
    NoSuchOp {
        /// Counted from 1.
        event: u64,
        /// What it is.
        op: Op,
    },
}

/// Writes a trace. `out` should be buffered; the header is written at the end, to the place where `out` was.
#[derive(Debug)]
pub struct RapidBinWriter<W> {
    out: W,
    start: u64,
    events: u64,
    /// To count.
    names: Names<u64>,
}

impl<W: Write + Seek> RapidBinWriter<W> {
    /// Leaves room for the header.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W) -> Result<Self, WriteError> {
        let start = out.stream_position()?;
        out.write_all(&[0; HEADER as usize])?;
        Ok(RapidBinWriter {
            out,
            start,
            events: 0,
            names: Names::default(),
        })
    }

    /// Writes an event. What `names` does not know, or all without it, keeps its number.
    ///
    /// # Errors
    /// Those of `out`, and [`WriteError::Unfit`] and [`WriteError::NoSuchOp`] for what the format cannot express.
    pub fn write(&mut self, event: &Event, names: Option<&Names<u64>>) -> Result<(), WriteError> {
        let number = self.events + 1;
        let code = OPS
            .iter()
            .find(|(_, op)| *op == event.op)
            .map(|&(code, _)| code);
        let code = code.ok_or(WriteError::NoSuchOp {
            event: number,
            op: event.op,
        })?;
        let called = |operand, value: u32| {
            let name = names.and_then(|names| names.name(operand, value));
            name.copied().unwrap_or(u64::from(value))
        };
        let kind = event.op.operand();
        let thread = called(Operand::Thread, event.thread);
        let operand = called(kind, event.operand);
        let word = THREAD.put(thread, number)?
            | OP.put(code, number)?
            | OPERAND.put(operand, number)?
            | LOCATION.put(u64::from(event.location), number)?;
        if kind == Operand::Thread {
            // Another thread's number, in the wider field.
            THREAD.put(operand, number)?;
        }
        for (kind, name) in [(Operand::Thread, thread), (kind, operand)] {
            self.names
                .number(kind, &name, number)
                .map_err(|_| WriteError::Unfit {
                    event: number,
                    what: "operand",
                    value: name,
                    bits: OPERAND.bits,
                })?;
        }
        self.out.write_all(&word.to_be_bytes())?;
        self.events = number;
        Ok(())
    }

    /// Writes the header, and gives `out` back, at the end of the trace.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self) -> Result<W, WriteError> {
        let end = self.out.stream_position()?;
        self.out.seek(SeekFrom::Start(self.start))?;
        let count = |operand| self.names.count(operand) as u32;
        // The limits on names are below those of the fields.
        self.out
            .write_all(&(count(Operand::Thread) as u16).to_be_bytes())?;
        self.out.write_all(&count(Operand::Lock).to_be_bytes())?;
        self.out
            .write_all(&count(Operand::Variable).to_be_bytes())?;
        self.out.write_all(&self.events.to_be_bytes())?;
        self.out.seek(SeekFrom::Start(end))?;
        Ok(self.out)
    }
}
