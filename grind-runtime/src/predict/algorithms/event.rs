//! The events that the offline analyses eat: what threads did to variables, locks and each other.
//!
//! Names are dense numbers, given by the importers in order of first occurrence, one count each for threads,
//! locks and variables. So a table indexed by them is never larger than the trace that fills it.

use std::io;
use thiserror::Error;

/// At most this many threads: clocks are as long as there are threads, and there is one clock per thread.
pub const MAX_THREADS: u32 = 4096;
/// At most this many distinct locks, and as many conditions.
pub const MAX_LOCKS: u32 = 1 << 20;
/// At most this many distinct variables.
pub const MAX_VARIABLES: u32 = 1 << 28;
/// At most this many events, so that event numbers and clocks fit 32 bits.
pub const MAX_EVENTS: u32 = u32::MAX - 1;

/// What an event does; says what its operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op {
    /// Of a variable.
    Read,
    /// Of a variable.
    Write,
    /// Of a variable, by an atomic: races with plain writes only. It sees what was written plainly before it; what
    /// atomics stored, a [`Op::Load`] beside it sees.
    AtomicRead,
    /// Of a variable, by an atomic: races with plain reads and writes only. It sees what was written plainly before it.
    AtomicWrite,
    /// Of a lock, exclusively; the thread has it from here on.
    Acquire,
    /// Of a lock.
    Release,
    /// Of a thread, which runs only afterwards.
    Fork,
    /// Of a thread, which has ended.
    Join,
    /// Of a lock: its acquire is about to be tried. Orders nothing.
    Request,
    /// Of a transaction; no operand. Orders nothing.
    Begin,
    /// Of a transaction; no operand. Orders nothing.
    End,
    /// On a condition: woken by the notify before it. What it does to a lock are events of their own.
    Wait,
    /// On a condition: as [`Op::Wait`] to whatever asks for schedules, which keep the notify before it. It does not happen after
    /// that: a schedule in which it does not wait for it is none of this execution, but the order is no synchronisation.
    Needs,
    /// Of a condition.
    Notify,
    /// Of an atomic variable, which is numbered as conditions are: as [`Op::Wait`] for the value that was stored last.
    Load,
    /// Of an atomic variable: as [`Op::Notify`], and later than what was loaded or stored before.
    Store,
}

/// What an access of a variable does, see [`Op::access`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::predict) struct Accessing {
    pub(in crate::predict) write: bool,
    pub(in crate::predict) atomic: bool,
}

impl Accessing {
    /// Its number: a plain read 0, a plain write 1, an atomic read 2, an atomic write 3.
    pub(in crate::predict) fn index(self) -> usize {
        usize::from(self.write) | usize::from(self.atomic) << 1
    }
}

impl Op {
    /// How it accesses a variable, if it does.
    #[inline]
    pub(in crate::predict) fn access(self) -> Option<Accessing> {
        let (write, atomic) = match self {
            Op::Read => (false, false),
            Op::Write => (true, false),
            Op::AtomicRead => (false, true),
            Op::AtomicWrite => (true, true),
            _ => return None,
        };
        Some(Accessing { write, atomic })
    }
}

/// One event. Its number is its place in the trace, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// What.
    pub op: Op,
    /// By whom; below [`MAX_THREADS`].
    pub thread: u32,
    /// On what, see [`Op`]; 0 where there is none.
    pub operand: u32,
    /// Where in the program, as the trace has it.
    pub location: u32,
}

impl Event {
    /// An event with no location.
    pub fn new(thread: u32, op: Op, operand: u32) -> Self {
        Event {
            op,
            thread,
            operand,
            location: 0,
        }
    }

    /// The same at `location`.
    #[must_use]
    pub fn at(mut self, location: u32) -> Self {
        self.location = location;
        self
    }
}

/// A trace, one event after the other; nothing keeps the whole.
pub trait Source {
    /// The next event; `None` at the end, also when asked again. After an error the rest is not to be read.
    ///
    /// # Errors
    /// If the trace cannot be read, or is none.
    fn next_event(&mut self) -> Result<Option<Event>, ReadError>;
}

impl<S: Source + ?Sized> Source for &mut S {
    fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        (**self).next_event()
    }
}

/// Why a trace cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The reader failed.
    #[error("the trace cannot be read")]
    Io(#[from] io::Error),
    /// A line of text is no event.
    #[error("line {line}: {expected} expected, found `{found}`")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What should be there.
        expected: &'static str,
        /// What is there, shortened.
        found: String,
    },
    /// A binary header or event is none.
    #[error("byte {offset}: {problem}")]
    Binary {
        /// Of the header or event, from the start of the file.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// Too many different names, or events.
    #[error("event {event}: more than {limit} {what}")]
    TooMany {
        /// Counted from 1.
        event: u64,
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: u32,
    },
    /// No execution makes this trace.
    #[error(transparent)]
    Malformed(#[from] crate::predict::algorithms::well_formed::Violation),
}
