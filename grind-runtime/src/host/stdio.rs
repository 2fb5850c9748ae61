//! Standard streams of a guest: those of the process, or captured.

use super::process_stdin;
use crate::machine::io::{self as machine_io, Answer, Call, Errno, HostIo, Node};
use derive_setters::Setters;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Write};

/// Bytes that [`Stdio::capture`] keeps of each stream: 1 MiB.
pub const CAPTURE_LIMIT: usize = 1 << 20;

/// Where a guest reads from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputStream {
    /// Standard input of the process. A guest thread that has to wait for it keeps no other from running.
    Inherit,
    /// It is at its end.
    Null,
    /// These bytes, and the end.
    Bytes(VecDeque<u8>),
}

impl From<Vec<u8>> for InputStream {
    fn from(bytes: Vec<u8>) -> InputStream {
        InputStream::Bytes(bytes.into())
    }
}

impl From<&str> for InputStream {
    fn from(text: &str) -> InputStream {
        text.as_bytes().to_vec().into()
    }
}

/// Where a guest writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// That stream of the process, unbuffered.
    Inherit,
    /// Nowhere.
    Null,
    /// To memory. Of what is beyond the limit, the guest is told that it was written; it is dropped and [counted](Captured::dropped).
    Capture {
        /// Bytes to keep: the first ones.
        limit: usize,
    },
}

/// Standard streams of a guest, each by itself, as [`std::process::Command`] has them for processes.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grind_runtime::host::{OutputStream, Stdio};
/// use grind_runtime::{Program, RunOptions, run};
///
/// // Writes what it reads, up to 16 bytes.
/// let wasm = wat::parse_str(r#"(module
///     (import "wasi_snapshot_preview1" "fd_read"
///         (func $read (param i32 i32 i32 i32) (result i32)))
///     (import "wasi_snapshot_preview1" "fd_write"
///         (func $write (param i32 i32 i32 i32) (result i32)))
///     (memory (export "memory") 1 1 shared)
///     (data (i32.const 0) "\40\00\00\00\10\00\00\00")
///     (func (export "_start")
///         (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
///         (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#)?;
/// let stdio = Stdio::inherit()
///     .stdin("hello")
///     .stdout(OutputStream::Capture { limit: 4 });
/// let outcome = run(&Program::new(&wasm)?, RunOptions::default(), stdio)?;
/// let stdout = outcome.io.captured_stdout();
/// assert_eq!((stdout.text().as_ref(), stdout.dropped), ("hell", 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Setters)]
pub struct Stdio {
    /// Where the guest reads from: an [`InputStream`], bytes or a text.
    #[setters(into)]
    stdin: InputStream,
    /// Where standard output goes.
    stdout: OutputStream,
    /// Where standard error goes.
    stderr: OutputStream,
    #[setters(skip)]
    captured: [Captured; 2],
}

/// What a guest wrote to a stream that was captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Captured {
    /// The first bytes.
    pub bytes: Vec<u8>,
    /// How many bytes it wrote beyond the limit.
    pub dropped: u64,
}

impl Captured {
    /// The bytes as text. What is no UTF-8 becomes `U+FFFD`.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    fn keep(&mut self, bytes: &[u8], limit: usize) {
        let room = limit.saturating_sub(self.bytes.len());
        let (kept, dropped) = bytes.split_at(room.min(bytes.len()));
        self.bytes.extend_from_slice(kept);
        self.dropped += dropped.len() as u64;
    }
}

impl Stdio {
    /// The streams of the process, as `grind run` gives them.
    #[must_use]
    pub fn inherit() -> Stdio {
        Stdio::of(InputStream::Inherit, OutputStream::Inherit)
    }

    /// No input, and output goes nowhere.
    #[must_use]
    pub fn null() -> Stdio {
        Stdio::of(InputStream::Null, OutputStream::Null)
    }

    /// No input, and the first [`CAPTURE_LIMIT`] bytes of each output are kept.
    #[must_use]
    pub fn capture() -> Stdio {
        let limit = CAPTURE_LIMIT;
        Stdio::of(InputStream::Null, OutputStream::Capture { limit })
    }

    fn of(stdin: InputStream, output: OutputStream) -> Stdio {
        Stdio {
            stdin,
            stdout: output,
            stderr: output,
            captured: Default::default(),
        }
    }

    /// What went to standard output, if it was captured.
    #[must_use]
    pub fn captured_stdout(&self) -> &Captured {
        &self.captured[0]
    }

    /// What went to standard error, if it was captured.
    #[must_use]
    pub fn captured_stderr(&self) -> &Captured {
        &self.captured[1]
    }

    fn read(&mut self, len: u32) -> Result<Answer, Errno> {
        match &mut self.stdin {
            InputStream::Inherit => process_stdin::read(len),
            InputStream::Null => Ok(Answer::Bytes(Vec::new())),
            InputStream::Bytes(left) => machine_io::read(left, len).map(Answer::Bytes),
        }
    }
}

/// As by [`Stdio::inherit`].
impl Default for Stdio {
    fn default() -> Stdio {
        Stdio::inherit()
    }
}

impl HostIo for Stdio {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        match *call {
            Call::Write { node, bytes, .. } if node == Node::STDOUT => {
                match self.stdout {
                    OutputStream::Inherit => written(&mut io::stdout(), bytes)?,
                    OutputStream::Null => {}
                    OutputStream::Capture { limit } => self.captured[0].keep(bytes, limit),
                }
                Ok(Answer::Done)
            }
            Call::Write { node, bytes, .. } if node == Node::STDERR => {
                match self.stderr {
                    OutputStream::Inherit => written(&mut io::stderr(), bytes)?,
                    OutputStream::Null => {}
                    OutputStream::Capture { limit } => self.captured[1].keep(bytes, limit),
                }
                Ok(Answer::Done)
            }
            Call::Read { node, len, .. } if node == Node::STDIN => self.read(len),
            Call::Poll { node, nanoseconds } if node == Node::STDIN => Ok(match self.stdin {
                InputStream::Inherit => process_stdin::poll(nanoseconds),
                InputStream::Null | InputStream::Bytes(_) => Answer::Done,
            }),
            _ => Err(Errno::Nosys),
        }
    }
}

/// Unbuffered, so that what a guest wrote before a trap is out.
fn written(stream: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}
