//! Trace files: what a later run needs to be the same run.
//!
//! A run is a function of its module, inputs and scheduler, so a file that names these is a recording of it.
//! Reader and writer live together; `docs/trace-format.md` is the contract. The file is written when the
//! run begins, and completed when it ends, so that a run that is killed leaves a file that reads.

use crate::machine::Limits;
use crate::schedule::Strategy;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

const MAGIC: [u8; 8] = *b"GRINDTRC";

/// Version of the format: a reader takes files of its major version whose minor is not newer.
pub const VERSION: (u16, u16) = (0, 1);

/// Bytes of a chunk at most; more is a corrupt length.
const LARGEST_CHUNK: u32 = 64 << 20;

/// What ran, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of grind that wrote the file.
    pub grind: String,
    /// Path of the module, as it was given.
    pub module: String,
    /// SHA-256 of the module.
    pub module_hash: [u8; 32],
    /// Arguments, the program's name first.
    pub args: Vec<Vec<u8>>,
    /// Environment, each `NAME=value`.
    pub env: Vec<Vec<u8>>,
    /// Seed of the schedule and of the guest's randomness.
    pub seed: u64,
    /// How the schedule is made.
    pub strategy: Strategy,
    /// Exported function that ran, if it was named.
    pub entry: Option<String>,
    /// Bounds of the run.
    pub limits: Limits,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    /// The exit code of grind.
    pub exit_code: u8,
    /// Plain accesses, calls and returns.
    pub records: u64,
    /// Other events.
    pub events: u64,
    /// Threads created, the main thread included.
    pub threads: u32,
    /// Findings.
    pub findings: u64,
}

/// A trace as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What ran.
    pub header: Header,
    /// How it ended; none if the file is cut.
    pub footer: Option<Footer>,
}

/// Why a file is not a trace that can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The host could not read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not begin as a trace does.
    #[error("not a grind trace")]
    NotATrace,
    /// It has a format of another version.
    #[error(
        "the trace has format {}.{}, this grind reads {}.{}; read it with the grind that wrote it, or record it again",
        found.0, found.1, VERSION.0, VERSION.1
    )]
    Version {
        /// Version of the file.
        found: (u16, u16),
    },
    /// A chunk is not what it says it is.
    #[error("the trace is corrupt: {0}")]
    Corrupt(&'static str),
}

/// SHA-256 of a module, as headers carry it.
#[must_use]
pub fn module_hash(wasm: &[u8]) -> [u8; 32] {
    Sha256::digest(wasm).into()
}

/// Writes one trace.
#[derive(Debug)]
pub struct TraceWriter<W: Write>(W);

impl<W: Write> TraceWriter<W> {
    /// Begins a trace; everything up to here survives whatever happens to the run.
    ///
    /// # Errors
    /// Those of the host.
    pub fn create(mut out: W, header: &Header) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.0.to_le_bytes())?;
        out.write_all(&VERSION.1.to_le_bytes())?;
        write_chunk(&mut out, header)?;
        out.flush()?;
        Ok(TraceWriter(out))
    }

    /// Ends the trace.
    ///
    /// # Errors
    /// Those of the host.
    pub fn finish(mut self, footer: &Footer) -> io::Result<()> {
        write_chunk(&mut self.0, footer)?;
        self.0.flush()
    }
}

fn write_chunk(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let bytes = postcard::to_stdvec(value).map_err(io::Error::other)?;
    let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    out.write_all(&len.to_le_bytes())?;
    out.write_all(&crc32fast::hash(&bytes).to_le_bytes())?;
    out.write_all(&bytes)
}

/// Reads a trace.
///
/// # Errors
/// [`TraceError`]; a file that is cut behind its header reads, without a footer.
pub fn read(mut input: impl Read) -> Result<Trace, TraceError> {
    let mut start = [0; 12];
    input
        .read_exact(&mut start)
        .map_err(|_| TraceError::NotATrace)?;
    if start[..8] != MAGIC {
        return Err(TraceError::NotATrace);
    }
    let found = (
        u16::from_le_bytes([start[8], start[9]]),
        u16::from_le_bytes([start[10], start[11]]),
    );
    if found.0 != VERSION.0 || found.1 > VERSION.1 {
        return Err(TraceError::Version { found });
    }
    let header = read_chunk(&mut input)?.ok_or(TraceError::Corrupt("the header is cut"))?;
    let footer = read_chunk(&mut input)?;
    Ok(Trace { header, footer })
}

/// A chunk, or none where the file ends before it does.
fn read_chunk<T: DeserializeOwned>(input: &mut impl Read) -> Result<Option<T>, TraceError> {
    let mut head = [0; 8];
    if read_up_to(input, &mut head)? < head.len() {
        return Ok(None);
    }
    let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let checksum = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    if len > LARGEST_CHUNK {
        return Err(TraceError::Corrupt("a chunk is impossibly long"));
    }
    // Not allocated ahead: the length is not to be trusted before the bytes are there.
    let mut bytes = Vec::new();
    input.take(u64::from(len)).read_to_end(&mut bytes)?;
    if bytes.len() < len as usize {
        return Ok(None);
    }
    if crc32fast::hash(&bytes) != checksum {
        return Err(TraceError::Corrupt("a checksum does not match"));
    }
    match postcard::from_bytes(&bytes) {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(TraceError::Corrupt("a chunk does not decode")),
    }
}

fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Header, Footer, Vec<u8>) {
        let header = Header {
            grind: "0.1.0".into(),
            module: "app.wasm".into(),
            module_hash: module_hash(b"\0asm"),
            args: vec![b"app".to_vec()],
            env: vec![b"A=b".to_vec()],
            seed: 7,
            strategy: Strategy::Random,
            entry: None,
            limits: Limits::default(),
        };
        let footer = Footer {
            exit_code: 66,
            records: 1000,
            events: 20,
            threads: 3,
            findings: 1,
        };
        let mut bytes = Vec::new();
        let writer = TraceWriter::create(&mut bytes, &header).unwrap();
        writer.finish(&footer).unwrap();
        (header, footer, bytes)
    }

    #[test]
    fn what_is_written_is_read() {
        let (header, footer, bytes) = example();
        let trace = read(&bytes[..]).unwrap();
        assert_eq!(trace.header, header);
        assert_eq!(trace.footer, Some(footer));
    }

    #[test]
    fn a_file_cut_anywhere_reads_up_to_its_last_whole_chunk() {
        let (header, _, bytes) = example();
        let mut without_footer = 0;
        for len in 0..bytes.len() {
            if let Ok(trace) = read(&bytes[..len]) {
                assert_eq!(trace.header, header);
                assert_eq!(trace.footer, None);
                without_footer += 1;
            }
        }
        assert!(without_footer > 0);
    }

    #[test]
    fn a_flipped_byte_is_never_taken_for_good() {
        let (header, footer, bytes) = example();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            if let Ok(trace) = read(&bytes[..]) {
                // A longer footer is a footer that is cut.
                assert_eq!(trace.header, header, "byte {at}");
                assert!(trace.footer.is_none_or(|read| read == footer), "byte {at}");
            }
        }
    }

    #[test]
    fn another_version_is_named_with_ours() {
        let (_, _, mut bytes) = example();
        bytes[8] = 9;
        let message = read(&bytes[..]).unwrap_err().to_string();
        assert!(
            message.contains("9.1") && message.contains("0.1"),
            "{message}"
        );
    }
}
