//! Chunks: `kind 1 | stored 4 | raw 4 | CRC-32 4 | stored bytes`, little-endian. The checksum is of all but itself. The
//! stored bytes are one zstd frame of `raw` bytes.

use super::TraceError;
use super::frame::{self, Compressor, Decompressor};
use std::io::{self, Read, Write};

/// What is in a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// [`super::Header`].
    Header = 1,
    /// A piece of the module.
    Module = 2,
    /// Sites.
    Sites = 3,
    /// What happened.
    Entries = 4,
    /// [`super::Footer`].
    Footer = 5,
}

const KINDS: [Kind; 5] = [
    Kind::Header,
    Kind::Module,
    Kind::Sites,
    Kind::Entries,
    Kind::Footer,
];

/// Bytes of a chunk before compression at most, and about as many after it.
pub(super) const LARGEST: usize = 32 << 20;
/// What zstd may need beyond the raw bytes.
const SLACK: usize = 1 << 16;
const HEAD: usize = 13;
/// Writes chunks.
pub(super) struct ChunkWriter<W> {
    out: W,
    compressor: Compressor,
    stored: Vec<u8>,
}

impl<W: Write> ChunkWriter<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        Ok(ChunkWriter {
            out,
            compressor: Compressor::new()?,
            stored: Vec::new(),
        })
    }

    /// Writes `raw`, and brings it to the host.
    pub(super) fn write(&mut self, kind: Kind, raw: &[u8]) -> io::Result<()> {
        debug_assert!(raw.len() <= LARGEST, "{kind:?}");
        self.compressor.compress(raw, &mut self.stored)?;
        let stored = &self.stored;
        let mut head = [0; HEAD];
        head[0] = kind as u8;
        head[1..5].copy_from_slice(&(stored.len() as u32).to_le_bytes());
        head[5..9].copy_from_slice(&(raw.len() as u32).to_le_bytes());
        let checksum = checksum(&head, stored);
        head[9..].copy_from_slice(&checksum.to_le_bytes());
        self.out.write_all(&head)?;
        self.out.write_all(stored)?;
        self.out.flush()
    }

    pub(super) fn into_inner(self) -> W {
        self.out
    }
}

fn checksum(head: &[u8; HEAD], stored: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head[..9]);
    hasher.update(stored);
    hasher.finalize()
}

/// Reads chunks.
pub(super) struct ChunkReader<R> {
    input: R,
    /// Bytes read.
    offset: u64,
    decompressor: Decompressor,
}

impl<R: Read> ChunkReader<R> {
    /// Of an input of which the first `offset` bytes were read.
    pub(super) fn new(input: R, offset: u64) -> io::Result<Self> {
        Ok(ChunkReader {
            input,
            offset,
            decompressor: Decompressor::new()?,
        })
    }

    /// The next chunk, or none where the input ends before it does: it is truncated there. A chunk whose length is wrong is
    /// corrupt, also the last one.
    pub(super) fn read(&mut self) -> Result<Option<(Kind, Vec<u8>)>, TraceError> {
        let offset = self.offset;
        let corrupt = |problem| TraceError::Corrupt { offset, problem };
        let mut head = [0; HEAD];
        if read_up_to(&mut self.input, &mut head)? < HEAD {
            return Ok(None);
        }
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (stored, raw) = (word(1) as usize, word(5) as usize);
        if raw > LARGEST || stored > LARGEST + SLACK {
            return Err(corrupt("a chunk is impossibly long"));
        }
        // Not allocated ahead: the length is not to be trusted before the bytes are there.
        let mut bytes = Vec::new();
        (&mut self.input)
            .take(stored as u64)
            .read_to_end(&mut bytes)?;
        if bytes.len() < stored {
            // A file that lost its end lost that of the frame; where all of the frame is there, the length is wrong.
            return match bytes.len() >= frame::MAGIC.len() && !bytes.starts_with(&frame::MAGIC)
                || frame::is_whole(&bytes)
            {
                true => Err(corrupt("a chunk is not as long as it says")),
                false => Ok(None),
            };
        }
        if checksum(&head, &bytes) != word(9) {
            return Err(corrupt("a checksum does not match"));
        }
        let kind = (KINDS.into_iter().find(|&kind| kind as u8 == head[0]))
            .ok_or_else(|| corrupt("a chunk is of an unknown kind"))?;
        let bytes = self.decompressor.decompress(&bytes, raw);
        let bytes = bytes.map_err(|_| corrupt("a chunk does not decompress"))?;
        if bytes.len() != raw {
            return Err(corrupt("a chunk is not as long as it says"));
        }
        self.offset += (HEAD + stored) as u64;
        Ok(Some((kind, bytes)))
    }

    /// Bytes of whole chunks read so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }
}

/// Reads as much as there is.
pub(super) fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
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
