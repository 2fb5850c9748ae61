//! Columns: one row for each access, call and event, for data frames.
//!
//! | column | type | what |
//! |---|---|---|
//! | `event` | int64 | events so far, this one included |
//! | `thread` | int32 | who |
//! | `what` | string | `read`, `write`, `call`, `return`, or an event's name |
//! | `address` | int64, optional | first byte |
//! | `size` | int64, optional | number of bytes |
//! | `offset` | int64, optional | of the instruction, or of the innermost call, in the module |

use super::InteropError;
use crate::model::sites::SiteKind;
use crate::model::{Event, EventKind};
use crate::trace::{Entry, TraceReader};
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use std::io::{self, Read, Write};
use std::sync::Arc;

const SCHEMA: &str = "message trace {
    REQUIRED INT64 event;
    REQUIRED INT32 thread;
    REQUIRED BYTE_ARRAY what (STRING);
    OPTIONAL INT64 address;
    OPTIONAL INT64 size;
    OPTIONAL INT64 offset;
}";

/// Rows that are kept before they are written.
const GROUP: usize = 1 << 18;

/// A column in which a row may have nothing.
#[derive(Default)]
struct Optional {
    values: Vec<i64>,
    defined: Vec<i16>,
}

impl Optional {
    fn push(&mut self, value: Option<i64>) {
        self.values.extend(value);
        self.defined.push(value.is_some().into());
    }
}

#[derive(Default)]
struct Rows {
    event: Vec<i64>,
    thread: Vec<i32>,
    what: Vec<ByteArray>,
    address: Optional,
    size: Optional,
    offset: Optional,
}

impl Rows {
    fn push(
        &mut self,
        event: u64,
        thread: u32,
        what: &'static str,
        bytes: Option<(u32, u32)>,
        offset: Option<u32>,
    ) {
        self.event.push(event.cast_signed());
        self.thread.push(thread.cast_signed());
        self.what.push(ByteArray::from(what));
        self.address.push(bytes.map(|(address, _)| address.into()));
        self.size.push(bytes.map(|(_, size)| size.into()));
        self.offset.push(offset.map(i64::from));
    }

    fn write<W: Write + Send>(
        &self,
        group: SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let mut group = group;
        let mut index = 0;
        while let Some(mut column) = group.next_column()? {
            match index {
                0 => drop(
                    column
                        .typed::<Int64Type>()
                        .write_batch(&self.event, None, None)?,
                ),
                1 => drop(
                    column
                        .typed::<Int32Type>()
                        .write_batch(&self.thread, None, None)?,
                ),
                2 => drop(
                    column
                        .typed::<ByteArrayType>()
                        .write_batch(&self.what, None, None)?,
                ),
                _ => {
                    let optional = [&self.address, &self.size, &self.offset][index - 3];
                    let defined = Some(&optional.defined[..]);
                    column
                        .typed::<Int64Type>()
                        .write_batch(&optional.values, defined, None)?;
                }
            }
            column.close()?;
            index += 1;
        }
        group.close()?;
        Ok(())
    }
}

fn failed(error: ParquetError) -> InteropError {
    InteropError::Io(io::Error::other(error))
}

/// Writes a trace, and says how many rows.
///
/// # Errors
/// [`InteropError`].
pub fn write<R: Read>(
    mut trace: TraceReader<R>,
    out: impl Write + Send,
) -> Result<u64, InteropError> {
    let schema = Arc::new(parse_message_type(SCHEMA).map_err(failed)?);
    let compression = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let mut file = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(failed)?;
    let sites = Arc::clone(trace.sites());
    let (mut rows, mut count, mut number) = (Rows::default(), 0, 0);
    let mut flush = |rows: &mut Rows| -> Result<(), InteropError> {
        count += rows.event.len() as u64;
        let rows = std::mem::take(rows);
        rows.write(file.next_row_group().map_err(failed)?)
            .map_err(failed)
    };
    while let Some(entry) = trace.next_entry()? {
        match entry {
            Entry::Records(thread) => {
                for record in trace.records().iter() {
                    let site = sites.get(record.site());
                    let address = record.base().wrapping_add(site.displacement);
                    let (what, bytes) = match site.kind {
                        SiteKind::Read => ("read", Some((address, site.width.into()))),
                        SiteKind::Write => ("write", Some((address, site.width.into()))),
                        SiteKind::Call => ("call", None),
                        SiteKind::Return => ("return", None),
                        _ => continue,
                    };
                    rows.push(number, thread.0, what, bytes, Some(site.offset));
                }
            }
            Entry::Event(Event { thread, kind }) => {
                number += 1;
                let site = kind.site().or_else(|| trace.stack(thread).first().copied());
                let offset = site.map(|site| sites.get(site).offset);
                rows.push(number, thread.0, kind.name(), bytes_of(&kind), offset);
            }
            _ => {}
        }
        if rows.event.len() >= GROUP {
            flush(&mut rows)?;
        }
    }
    flush(&mut rows)?;
    file.close().map_err(failed)?;
    Ok(count)
}

/// What an event is about.
fn bytes_of(kind: &EventKind) -> Option<(u32, u32)> {
    match *kind {
        EventKind::Atomic { addr, width, .. }
        | EventKind::HostAtomic { addr, width, .. }
        | EventKind::WaitBegin { addr, width, .. }
        | EventKind::WaitEnd { addr, width, .. } => Some((addr, width.into())),
        EventKind::Range { addr, len, .. }
        | EventKind::Alloc { addr, size: len }
        | EventKind::BenignRace { addr, len } => Some((addr, len)),
        EventKind::Notify { addr, .. }
        | EventKind::HostNotify { addr, .. }
        | EventKind::Free { addr } => Some((addr, 0)),
        EventKind::LockRequest { lock: addr, .. }
        | EventKind::LockAcquire { lock: addr, .. }
        | EventKind::LockFail { lock: addr, .. }
        | EventKind::LockRelease { lock: addr, .. }
        | EventKind::LockReleased { lock: addr }
        | EventKind::LockDestroy { lock: addr }
        | EventKind::LockInit { lock: addr }
        | EventKind::LockNotReleased { lock: addr }
        | EventKind::Object { object: addr, .. }
        | EventKind::CondvarFail { condvar: addr, .. }
        | EventKind::LockName { lock: addr, .. }
        | EventKind::LockWord { lock: addr, .. }
        | EventKind::CondvarWait { condvar: addr, .. }
        | EventKind::CondvarWake { condvar: addr, .. }
        | EventKind::CondvarNotify { condvar: addr, .. }
        | EventKind::CondvarNotified { condvar: addr }
        | EventKind::BarrierArrive { barrier: addr }
        | EventKind::BarrierLeave { barrier: addr }
        | EventKind::HappensBefore { object: addr }
        | EventKind::HappensAfter { object: addr } => Some((addr, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::import::import;
    use crate::predict::algorithms::{Extensions, StdReader};
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::RowAccessor;

    #[test]
    fn rows_come_back() {
        let lines = "A|fork(B)|1\nA|acq(l)|2\nA|w(x)|3\nA|rel(l)|4\nB|r(x)|5\n";
        let mut trace = Vec::new();
        let open = || Ok(StdReader::new(lines.as_bytes(), Extensions::Off));
        import("test", open, |_, _, _| None, &mut trace).expect("a good trace");
        let file = tempfile::tempfile().expect("a file");
        let reader = TraceReader::open(&trace[..]).expect("a good trace");
        let rows = write(reader, file.try_clone().expect("a file")).expect("a good trace");
        let reader = SerializedFileReader::new(file).expect("a good file");
        let read: Vec<_> = reader
            .get_row_iter(None)
            .expect("rows")
            .map(|row| row.expect("a row"))
            .collect();
        assert_eq!(read.len() as u64, rows);
        let accesses: Vec<(i32, String, i64)> = (read.iter())
            .filter(|row| {
                !row.is_null(4).unwrap_or(true) && row.get_long(4).is_ok_and(|size| size == 4)
            })
            .map(|row| {
                let what = row.get_string(2).cloned().unwrap_or_default();
                (
                    row.get_int(1).unwrap_or(-1),
                    what,
                    row.get_long(5).unwrap_or(-1),
                )
            })
            .collect();
        assert_eq!(
            accesses,
            [(0, "write".to_owned(), 3), (1, "read".to_owned(), 5)]
        );
    }
}
