//! STD and RapidBin: traces of reads, writes, locks, forks and joins.
//!
//! Neither has conditions, unless STD's extensions are on. Without them, a notify and the waits that follow it are
//! critical sections of a lock of the condition's own: more order than there is, never less. In them a variable of the
//! condition's own is read, and written by a notify, for analyses that leave critical sections out (SyncP, OSR) have to keep
//! what a read sees. Neither has atomics of variables: they are accesses within critical sections of a lock of the variable's own,
//! so that they do not race with each other. Locations are numbers of sites, in RapidBin renumbered by first occurrence so that they fit its
//! 15 bits as long as possible.

use super::InteropError;
use crate::predict::algorithms::{Event, Extensions, Op, RapidBinWriter, Source, write_std};
use crate::predict::translate::Translation;
use crate::trace::{TraceError, TraceReader};
use rustc_hash::FxHashMap;
use std::io::{Read, Seek, Write};

/// Writes a trace as STD, and says how many lines.
///
/// # Errors
/// [`InteropError`].
pub fn write_as_std<R: Read>(
    open: impl FnMut() -> Result<TraceReader<R>, TraceError>,
    out: &mut impl Write,
    extensions: Extensions,
) -> Result<u64, InteropError> {
    let mut lines = 0;
    translate(open, extensions, |event| {
        lines += 1;
        Ok(write_std(out, &event, None)?)
    })?;
    Ok(lines)
}

/// Writes a trace as RapidBin, and says how many events.
///
/// # Errors
/// [`InteropError`]; also for what does not fit the format's fields.
pub fn write_as_rapid_bin<R: Read>(
    open: impl FnMut() -> Result<TraceReader<R>, TraceError>,
    out: impl Write + Seek,
) -> Result<u64, InteropError> {
    let mut writer = RapidBinWriter::new(out)?;
    let mut locations: FxHashMap<u32, u32> = FxHashMap::default();
    let mut events = 0;
    translate(open, Extensions::Off, |event| {
        events += 1;
        let next = locations.len() as u32;
        let location = *locations.entry(event.location).or_insert(next);
        Ok(writer.write(&event.at(location), None)?)
    })?;
    writer.finish()?.flush()?;
    Ok(events)
}

fn translate<R: Read>(
    open: impl FnMut() -> Result<TraceReader<R>, TraceError>,
    extensions: Extensions,
    mut take: impl FnMut(Event) -> Result<(), InteropError>,
) -> Result<(), InteropError> {
    let mut source = Translation::new(open)?;
    let mut locks = Numbers::default();
    let mut variables = Numbers::default();
    while let Some(event) = source.next_event()? {
        match event.op {
            Op::Wait | Op::Needs | Op::Notify | Op::Load | Op::Store
                if extensions == Extensions::Off =>
            {
                let lock = locks.of(Of::Condition, event.operand);
                let variable = variables.of(Of::Condition, event.operand);
                let write =
                    matches!(event.op, Op::Notify | Op::Store).then_some((Op::Write, variable));
                let section = [(Op::Acquire, lock), (Op::Read, variable)]
                    .into_iter()
                    .chain(write)
                    .chain([(Op::Release, lock)]);
                for (op, operand) in section {
                    take(Event {
                        op,
                        operand,
                        ..event
                    })?;
                }
            }
            Op::Acquire | Op::Release => {
                let operand = locks.of(Of::Guest, event.operand);
                take(Event { operand, ..event })?;
            }
            Op::Read | Op::Write => {
                let operand = variables.of(Of::Guest, event.operand);
                take(Event { operand, ..event })?;
            }
            Op::AtomicRead | Op::AtomicWrite => {
                let lock = locks.of(Of::Atomics, event.operand);
                let variable = variables.of(Of::Guest, event.operand);
                let access = match event.op {
                    Op::AtomicWrite => Op::Write,
                    _ => Op::Read,
                };
                let section = [(Op::Acquire, lock), (access, variable), (Op::Release, lock)];
                for (op, operand) in section {
                    take(Event {
                        op,
                        operand,
                        ..event
                    })?;
                }
            }
            _ => take(event)?,
        }
    }
    Ok(())
}

/// Whose lock or variable it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Of {
    Guest,
    Condition,
    /// Keeps atomics of a variable apart.
    Atomics,
}

/// Numbers in order of first occurrence, whosever they are.
#[derive(Default)]
struct Numbers(FxHashMap<(Of, u32), u32>);

impl Numbers {
    fn of(&mut self, whose: Of, operand: u32) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry((whose, operand)).or_insert(next)
    }
}
