//! Writes a trace, chunk by chunk.

use super::chunk::{ChunkWriter, Kind};
use super::entry::Encoder;
use super::{Detail, Footer, Header, MAGIC, VERSION, sites};
use crate::model::bytes::put;
use crate::model::sites::{SiteId, SiteTable};
use crate::model::{Event, Records, Schedule, Slice, ThreadId};
use std::io::{self, Write};
use std::sync::Arc;

/// Bytes of entries that make a chunk. Larger ones compress a little better and lose more when grind is killed.
const CHUNK: usize = 64 << 10;
/// Bytes of the module in a chunk.
const MODULE_CHUNK: usize = 1 << 20;

/// Writes one trace. The functions that take what happened do not fail: the first error of the host ends the
/// trace, and [`TraceWriter::finish`] says it.
pub struct TraceWriter<W: Write> {
    chunks: ChunkWriter<W>,
    encoder: Encoder,
    raw: Vec<u8>,
    words: u64,
    events: u64,
    error: Option<io::Error>,
}

impl<W: Write> std::fmt::Debug for TraceWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = (self.words, self.events);
        f.debug_tuple("TraceWriter").field(&counts).finish()
    }
}

impl<W: Write> TraceWriter<W> {
    /// Begins a trace of a program with these sites; `module` is embedded if given. Everything up to here survives
    /// whatever happens to the run.
    ///
    /// # Errors
    /// Those of the host.
    pub fn create(
        mut out: W,
        header: &Header,
        sites: &Arc<SiteTable>,
        module: Option<&[u8]>,
    ) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.0.to_le_bytes())?;
        out.write_all(&VERSION.1.to_le_bytes())?;
        let mut header = Header {
            embedded: module.map(|module| module.len() as u64),
            sites: sites.len() as u32,
            ..header.clone()
        };
        if let Schedule::Decisions(decisions) = &mut header.spec.schedule {
            *decisions = Arc::default();
        }
        let mut chunks = ChunkWriter::new(out)?;
        chunks.write(Kind::Header, &to_bytes(&header)?)?;
        for piece in module.unwrap_or_default().chunks(MODULE_CHUNK) {
            chunks.write(Kind::Module, piece)?;
        }
        for first in (0..sites.len()).step_by(sites::PER_CHUNK) {
            let end = sites.len().min(first + sites::PER_CHUNK);
            let mut raw = Vec::new();
            sites::encode(&mut raw, sites, first as u32..end as u32);
            chunks.write(Kind::Sites, &raw)?;
        }
        let mut writer = TraceWriter {
            chunks,
            encoder: Encoder::new(sites, header.detail == Detail::Full),
            raw: Vec::with_capacity(2 * CHUNK),
            words: 0,
            events: 0,
            error: None,
        };
        writer.begin_chunk();
        Ok(writer)
    }

    /// The scheduler let the current thread go on with what it had left of its slice.
    pub fn kept(&mut self) {
        self.encoder.kept();
    }

    /// The scheduler decided otherwise.
    pub fn slice(&mut self, slice: Slice) {
        self.encoder.slice(&mut self.raw, slice);
        self.end_entry();
    }

    /// The scheduler gave random bits to the guest.
    pub fn random(&mut self, bits: u64) {
        self.encoder.random(&mut self.raw, bits);
        self.end_entry();
    }

    /// The host answered.
    pub fn input(&mut self, input: Vec<u8>) {
        let (chunks, error) = (&mut self.chunks, &mut self.error);
        let counts = (self.words, self.events);
        self.encoder.input(&mut self.raw, input, |raw| {
            write_entries(chunks, raw, error);
            put_counts(raw, counts);
        });
        self.end_entry();
    }

    /// The driver of the machine did something, at this tick.
    pub fn act(&mut self, tick: u64, act: Vec<u8>) {
        self.encoder.act(&mut self.raw, tick, &act);
        self.end_entry();
    }

    /// A thread made records.
    pub fn records(&mut self, thread: ThreadId, records: Records<'_>) {
        self.words += records.words().len() as u64;
        self.encoder.records(&mut self.raw, thread, records);
        self.end_entry();
    }

    /// Something else happened, where the thread had made these calls, outermost first. A full trace knows them by itself.
    pub fn event(&mut self, event: &Event, calls: &[SiteId]) {
        self.events += 1;
        self.encoder.event(&mut self.raw, event, calls);
        self.end_entry();
    }

    /// Words of records and events so far.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.words, self.events)
    }

    fn begin_chunk(&mut self) {
        put_counts(&mut self.raw, (self.words, self.events));
    }

    fn end_entry(&mut self) {
        if self.raw.len() >= CHUNK {
            write_entries(&mut self.chunks, &mut self.raw, &mut self.error);
            self.begin_chunk();
        }
    }

    /// Leaves the trace without an end, for the run of it went on: it reads as truncated.
    ///
    /// # Errors
    /// The first of the host since the trace began.
    pub fn finish_truncated(mut self) -> io::Result<W> {
        write_entries(&mut self.chunks, &mut self.raw, &mut self.error);
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.chunks.into_inner()),
        }
    }

    /// Ends the trace.
    ///
    /// # Errors
    /// The first of the host since the trace began.
    pub fn finish(mut self, footer: &Footer) -> io::Result<W> {
        write_entries(&mut self.chunks, &mut self.raw, &mut self.error);
        if let Some(error) = self.error {
            return Err(error);
        }
        self.chunks.write(Kind::Footer, &to_bytes(footer)?)?;
        Ok(self.chunks.into_inner())
    }
}

/// What was before the chunk, for readers that count along.
fn put_counts(raw: &mut Vec<u8>, (words, events): (u64, u64)) {
    put(raw, words);
    put(raw, events);
}

fn write_entries<W: Write>(
    chunks: &mut ChunkWriter<W>,
    raw: &mut Vec<u8>,
    error: &mut Option<io::Error>,
) {
    if error.is_none() {
        *error = chunks.write(Kind::Entries, raw).err();
    }
    raw.clear();
}

fn to_bytes(value: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(io::Error::other)
}
