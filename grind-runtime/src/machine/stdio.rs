//! What functions of C's standard input and output access of their caller's memory.
//!
//! A string is as long as it is when the function is entered, or, if it was written, when the function returns.

use super::formats::{self, Precision, Printed, Scanned};
use super::intercepts::{accessed, word};
use super::state::State;
use crate::model::Records;
use crate::model::sites::{SiteKind, SiteTable};
use crate::program::interceptors::{Bytes, Touch};

/// A place that a function of the `scanf` family writes to if the input matches up to there. Neither its result nor the memory
/// tells whether it did, so its own stores are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    addr: u32,
    bytes: u32,
    written: bool,
}

/// The thread that is in such a function made these records.
pub(super) fn follow(counts: &mut [Count], records: Records<'_>, sites: &SiteTable) {
    for record in records.iter() {
        let site = sites.packed(record.site());
        if site.kind() != SiteKind::Write as u8 {
            continue;
        }
        let addr = record.base().wrapping_add(site.displacement());
        for count in &mut *counts {
            count.written |= addr == count.addr && site.width() == count.bytes;
        }
    }
}

/// Such a function is entered: tells what it reads.
pub(super) fn enter(state: &mut State, memory: &[u8], touches: &[Touch], args: [u32; 4]) {
    let arg = |position: u8| args[usize::from(position)];
    for &touch in touches {
        match touch {
            Touch::Reads(bytes) => {
                let (addr, len) = extent(memory, bytes, args, 0);
                accessed(state, memory, addr, len, false);
            }
            Touch::Prints { format, args } => {
                prints(state, memory, arg(format), arg(args), false);
            }
            Touch::Scans { format, args } => {
                state.thread_mut().counts = counts(memory, arg(format), arg(args));
            }
            Touch::Writes(_) => {}
        }
    }
}

/// It returns: tells what it wrote.
pub(super) fn leave(
    state: &mut State,
    memory: &[u8],
    touches: &[Touch],
    args: [u32; 4],
    result: u32,
) {
    let arg = |position: u8| args[usize::from(position)];
    for &touch in touches {
        match touch {
            Touch::Writes(bytes) => {
                let (addr, len) = extent(memory, bytes, args, result);
                accessed(state, memory, addr, len, true);
            }
            Touch::Prints { format, args } if result.cast_signed() >= 0 => {
                prints(state, memory, arg(format), arg(args), true);
            }
            Touch::Scans { format, args } => {
                scans(state, memory, arg(format), arg(args), result);
            }
            Touch::Prints { .. } | Touch::Reads(_) => {}
        }
    }
}

/// Where these bytes are, and how many; none at address 0.
fn extent(memory: &[u8], bytes: Bytes, args: [u32; 4], result: u32) -> (u32, u32) {
    let arg = |position: u8| args[usize::from(position)];
    let printed = u32::try_from(result.cast_signed()).ok();
    let with_end = |printed: u32| printed.saturating_add(1);
    let (addr, len) = match bytes {
        Bytes::Text(at) => (arg(at), text(memory, arg(at), u32::MAX, 1)),
        Bytes::Items { at, size, count } => (arg(at), arg(size).saturating_mul(arg(count))),
        Bytes::ItemsDone { at, size } => (arg(at), arg(size).saturating_mul(result)),
        Bytes::TextIfAny(at) if result != 0 => (arg(at), text(memory, arg(at), u32::MAX, 1)),
        Bytes::TextIfAny(at) => (arg(at), 0),
        Bytes::Printed { at, limit } => {
            let most = limit.map_or(u32::MAX, arg);
            (arg(at), printed.map_or(0, with_end).min(most))
        }
        Bytes::PrintedAt(at) => {
            let addr = word(memory, arg(at)).unwrap_or(0);
            (addr, printed.map_or(0, with_end))
        }
        Bytes::Word(at) => (arg(at), printed.map_or(0, |_| 4)),
    };
    (addr, if addr == 0 { 0 } else { len })
}

/// Bytes of the string at this address, its end included, but at most these, where characters have so many bytes each.
fn text(memory: &[u8], addr: u32, most: u32, unit: usize) -> u32 {
    let rest = memory.get(addr as usize..).unwrap_or_default();
    let rest = &rest[..rest.len().min(most as usize)];
    let end = (rest.chunks_exact(unit)).position(|unit| unit.iter().all(|&byte| byte == 0));
    // All of it fits into 32 bits of address.
    end.map_or(rest.len(), |end| (end + 1) * unit) as u32
}

/// The format at this address.
fn format(memory: &[u8], addr: u32) -> &[u8] {
    let len = text(memory, addr, u32::MAX, 1);
    memory
        .get(addr as usize..)
        .and_then(|rest| rest.get(..len.saturating_sub(1) as usize))
        .unwrap_or_default()
}

/// The strings that a format prints, or the counts that it writes.
fn prints(state: &mut State, memory: &[u8], at: u32, args: u32, writes: bool) {
    if at == 0 {
        return;
    }
    let format = format(memory, at);
    if !writes {
        accessed(state, memory, at, format.len() as u32 + 1, false);
    }
    if !format.contains(&b'%') {
        return;
    }
    let taken = formats::printf(format);
    let offsets = formats::offsets(&taken);
    let value = |number: usize| {
        let offset = offsets.get(number)?;
        word(memory, args.checked_add(*offset)?)
    };
    for argument in &taken {
        let Some(addr) = value(argument.number).filter(|&addr| addr != 0) else {
            continue;
        };
        match argument.printed {
            Printed::Text { most, wide } if !writes => {
                let most = match most {
                    Precision::All => u32::MAX,
                    Precision::Bytes(most) => most,
                    // One that is less than 0 counts as none.
                    Precision::Argument(number) => (value(number).map(u32::cast_signed))
                        .and_then(|most| u32::try_from(most).ok())
                        .unwrap_or(u32::MAX),
                };
                let unit = if wide { 4 } else { 1 };
                let most = most.saturating_mul(unit);
                let len = text(memory, addr, most, unit as usize);
                accessed(state, memory, addr, len, false);
            }
            Printed::Count(bytes) if writes => accessed(state, memory, addr, bytes, true),
            _ => {}
        }
    }
}

/// Where a format of `scanf` has its counts.
fn counts(memory: &[u8], at: u32, args: u32) -> Vec<Count> {
    let scanned = formats::scanf(format(memory, at)).into_iter();
    let counts = scanned.filter_map(|(number, scanned)| match scanned {
        Scanned::Count(bytes) => Some(Count {
            addr: argument(memory, args, number)?,
            bytes,
            written: false,
        }),
        _ => None,
    });
    counts.collect()
}

fn argument(memory: &[u8], args: u32, number: usize) -> Option<u32> {
    word(memory, args.checked_add(4 * number as u32)?)
}

/// What a format of `scanf` has written, when so many items were assigned.
fn scans(state: &mut State, memory: &[u8], at: u32, args: u32, result: u32) {
    for count in std::mem::take(&mut state.thread_mut().counts) {
        if count.written {
            accessed(state, memory, count.addr, count.bytes, true);
        }
    }
    let assigned = usize::try_from(result.cast_signed()).unwrap_or(0);
    let items = formats::scanf(format(memory, at)).into_iter();
    let items = items.filter(|(_, scanned)| !matches!(scanned, Scanned::Count(_)));
    for (number, scanned) in items.take(assigned) {
        let Some(addr) = argument(memory, args, number) else {
            break;
        };
        let len = match scanned {
            Scanned::Bytes(bytes) | Scanned::Count(bytes) => bytes,
            Scanned::Text { unit } => text(memory, addr, u32::MAX, unit as usize),
            Scanned::Allocated => 4,
        };
        accessed(state, memory, addr, len, true);
    }
}
