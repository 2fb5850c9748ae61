//! Reads a trace, entry by entry, without keeping it.

use super::chunk::{ChunkReader, Kind, read_up_to};
use super::entry::{Decoder, Entry};
use super::old_header::OldHeader;
use super::{Detail, Footer, Header, MAGIC, TraceError, VERSION, sites};
use crate::model::bytes::Bytes;
use crate::model::sites::{SiteId, SiteTable};
use crate::model::{Driven, MOST_SITES, Records, ThreadId};
use serde::de::DeserializeOwned;
use std::io::Read;
use std::sync::Arc;

/// Bytes of an embedded module at most.
const LARGEST_MODULE: u64 = 1 << 30;

/// How a trace ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceEnd {
    /// As the run did.
    Complete(Footer),
    /// Somewhere in the run: grind was killed, or the end of the file is missing.
    Truncated,
}

/// Reads one trace.
pub struct TraceReader<R: Read> {
    chunks: ChunkReader<R>,
    header: Header,
    module: Option<Vec<u8>>,
    decoder: Decoder,
    raw: Vec<u8>,
    /// Bytes of `raw` that were read.
    at: usize,
    /// Where the chunk begins.
    chunk: u64,
    /// Words of records and events before the chunk, as it says.
    counts: (u64, u64),
    /// Words of records and events so far.
    counted: (u64, u64),
    end: Option<TraceEnd>,
}

impl<R: Read> std::fmt::Debug for TraceReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TraceReader").field(&self.header).finish()
    }
}

impl<R: Read> TraceReader<R> {
    /// Reads what ran.
    ///
    /// # Errors
    /// [`TraceError`]; [`TraceError::Truncated`] if not even that is whole.
    pub fn open(mut input: R) -> Result<Self, TraceError> {
        let mut start = [0; 12];
        if read_up_to(&mut input, &mut start)? < start.len() || start[..8] != MAGIC {
            return Err(TraceError::NotATrace);
        }
        let found = (
            u16::from_le_bytes([start[8], start[9]]),
            u16::from_le_bytes([start[10], start[11]]),
        );
        if found.0 != VERSION.0 || found.1 > VERSION.1 {
            return Err(TraceError::Version { found });
        }
        let mut chunks = ChunkReader::new(input, start.len() as u64)?;
        let mut expect = |wanted: Kind, what: &'static str| match chunks.read()? {
            Some((kind, bytes)) if kind == wanted => Ok((bytes, chunks.offset())),
            Some(_) => Err(TraceError::Corrupt {
                offset: chunks.offset(),
                problem: "chunks are in a wrong order",
            }),
            None => Err(TraceError::Truncated(what)),
        };
        let (mut bytes, offset) = expect(Kind::Header, "header")?;
        if found.1 < 4 {
            // Nobody drove runs then.
            bytes.extend(postcard::to_stdvec(&Driven::ByNobody).unwrap_or_default());
        }
        if found.1 == 5 {
            bytes.extend(postcard::to_stdvec(&None::<u64>).unwrap_or_default());
        }
        let mut header: Header = match found.1 < 5 {
            true => decode::<OldHeader>(&bytes, offset)?.into(),
            false => decode(&bytes, offset)?,
        };
        if found.1 < 6 {
            header = header.with_old_fuel();
        }
        let corrupt = |offset, problem| TraceError::Corrupt { offset, problem };
        if header.embedded.is_some_and(|len| len > LARGEST_MODULE)
            || header.sites as usize > MOST_SITES
        {
            return Err(corrupt(offset, "the header has impossible numbers"));
        }
        let mut module = header.embedded.map(|_| Vec::new());
        if let (Some(len), Some(module)) = (header.embedded, &mut module) {
            while (module.len() as u64) < len {
                let (bytes, offset) = expect(Kind::Module, "module")?;
                module.extend(bytes);
                if module.len() as u64 > len {
                    return Err(corrupt(offset, "the module is longer than the header says"));
                }
            }
        }
        let mut table = sites::Decoder::default();
        while table.len() < header.sites as usize {
            let (bytes, offset) = expect(Kind::Sites, "sites")?;
            if !table.chunk(&bytes) || table.len() > header.sites as usize {
                return Err(corrupt(offset, "the sites make no sense"));
            }
        }
        let offset = chunks.offset();
        let table = (table.finish()).ok_or_else(|| corrupt(offset, "the sites make no sense"))?;
        Ok(TraceReader {
            decoder: Decoder::new(Arc::new(table), header.detail == Detail::Full),
            chunks,
            header,
            module,
            raw: Vec::new(),
            at: 0,
            chunk: 0,
            counts: (0, 0),
            counted: (0, 0),
            end: None,
        })
    }

    /// What ran.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The module, if it is in the file.
    #[must_use]
    pub fn module(&self) -> Option<&[u8]> {
        self.module.as_deref()
    }

    /// Its sites.
    #[must_use]
    pub fn sites(&self) -> &Arc<SiteTable> {
        self.decoder.sites()
    }

    /// What happened next; none at the end, also when asked again.
    ///
    /// # Errors
    /// [`TraceError`]. The rest is not to be read then.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, TraceError> {
        let more = self.advance()?;
        Ok(more.then(|| self.decoder.take_entry()))
    }

    /// Reads what happened next, for [`TraceReader::entry`]; false at the end, also when asked again.
    ///
    /// # Errors
    /// [`TraceError`]. The rest is not to be read then.
    pub(crate) fn advance(&mut self) -> Result<bool, TraceError> {
        while self.at == self.raw.len() {
            if self.end.is_some() || !self.next_chunk()? {
                return Ok(false);
            }
        }
        let mut bytes = Bytes::new(&self.raw[self.at..]);
        let read = self.decoder.next(&mut bytes);
        self.at = self.raw.len() - bytes.len();
        if read.is_none() {
            // An input can go on in the next chunk.
            if bytes.is_empty() && self.decoder.within_input() {
                return self.advance();
            }
            return Err(TraceError::Corrupt {
                offset: self.chunk,
                problem: "an entry does not decode",
            });
        }
        match self.decoder.entry() {
            Entry::Event(_) => self.counted.1 += 1,
            Entry::Records(_) => self.counted.0 += self.records().words().len() as u64,
            _ => {}
        }
        Ok(true)
    }

    /// What happened last, where [`TraceReader::advance`] left it. To move an entry takes as long as to decode it.
    pub(crate) fn entry(&self) -> &Entry {
        self.decoder.entry()
    }

    /// [`TraceReader::stack`] of a full trace means nothing from here on: whoever reads it follows the calls.
    pub(crate) fn ignore_calls(&mut self) {
        self.decoder.ignore_calls();
    }

    /// Reads the next chunk of entries; false if there is none.
    fn next_chunk(&mut self) -> Result<bool, TraceError> {
        let offset = self.chunks.offset();
        let Some((kind, raw)) = self.chunks.read()? else {
            self.end = Some(TraceEnd::Truncated);
            return Ok(false);
        };
        match kind {
            Kind::Entries => {
                let mut bytes = Bytes::new(&raw);
                let counts = bytes.varint().zip(bytes.varint());
                let right = counts.is_some_and(|(words, events)| {
                    events == self.counted.1
                        && (self.header.detail == Detail::Light || words == self.counted.0)
                });
                let (Some(counts), true) = (counts, right) else {
                    return Err(TraceError::Corrupt {
                        offset,
                        problem: "a chunk does not follow the one before it",
                    });
                };
                self.at = raw.len() - bytes.len();
                (self.raw, self.counts, self.chunk) = (raw, counts, offset);
                Ok(true)
            }
            Kind::Footer => {
                self.end = Some(TraceEnd::Complete(decode(&raw, offset)?));
                Ok(false)
            }
            _ => Err(TraceError::Corrupt {
                offset,
                problem: "chunks are in a wrong order",
            }),
        }
    }

    /// The records of the last entry, if it was such.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        self.decoder.records()
    }

    /// Where the thread is: its calls, innermost first. Empty if it is not known.
    #[must_use]
    pub fn stack(&self, thread: ThreadId) -> Vec<SiteId> {
        self.decoder.stack(thread)
    }

    /// Words of records and events that happened before the chunk that is being read.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        self.counts
    }

    /// Bytes of the file that were read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.chunks.offset()
    }

    /// How it ends, when [`TraceReader::next_entry`] gave none.
    #[must_use]
    pub fn end(&self) -> Option<&TraceEnd> {
        self.end.as_ref()
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8], offset: u64) -> Result<T, TraceError> {
    let problem = "a chunk does not decode";
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(TraceError::Corrupt { offset, problem }),
    }
}
