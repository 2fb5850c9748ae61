//! The hot loop: one look at every plain access.
//!
//! Half of a detecting run is spent here, so the loop does one thing well: it recognises accesses that repeat an
//! earlier one of the same epoch (nearly all do), and follows calls and returns. First touches and
//! accesses in new epochs are dealt with in [`Shadow::update_quietly`]; for anything else it
//! stops and leaves the record to its caller.
//!
//! **Cost.** About 30 instructions for a redundant access. Site words are 8 bytes per site, the
//! table of selectors 2 KiB.

use super::cell::{Cell, OpenEpoch, selector};
use super::clock::VectorClock;
use super::context::ThreadContext;
use super::order::granules;
use super::shadow::Shadow;
use crate::program::sites::{SiteId, SiteKind, SiteTable};
use crate::trace::Record;

/// The highest [`SiteKind`] that is an access.
pub(super) const WRITE: u8 = SiteKind::Write as u8;

/// Per site, from the lowest bit up: `displacement 32 | row of SELECTORS 8 | kind 8 | width 8`.
#[derive(Debug)]
pub(super) struct SiteWords(Vec<u64>);

/// Row of sites that have no selector.
const NO_ROW: u64 = 64;

impl SiteWords {
    pub(super) fn new(sites: &SiteTable) -> Self {
        let word = |index: usize| {
            let site = sites.packed(SiteId(index as u32));
            let (kind, width) = (u64::from(site.kind()), site.width());
            let row = match width {
                1 | 2 | 4 | 8 if site.kind() <= WRITE => {
                    (kind * 4 + u64::from(width.trailing_zeros())) * 8
                }
                _ => NO_ROW,
            };
            u64::from(site.displacement()) | row << 32 | kind << 40 | u64::from(width) << 48
        };
        SiteWords((0..sites.len()).map(word).collect())
    }
}

/// By row of the site and address modulo 8: what a cell must match for the access to be redundant. 0 for sites
/// that are no access, and for accesses that span two granules.
static SELECTORS: [u64; 256] = selectors();

const fn selectors() -> [u64; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 64 {
        let (write, width, offset) = (index >> 5, 1 << (index >> 3 & 3), index & 7);
        if offset + width <= 8 {
            table[index] = selector((((1 << width) - 1) << offset) as u8, write == 1);
        }
        index += 1;
    }
    table
}

/// Whose records these are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain<'a> {
    /// The epoch of its accesses.
    pub(super) epoch: OpenEpoch,
    /// A read in that epoch; none if the next access begins a new one.
    pub(super) read: Option<Cell>,
    /// What it knows.
    pub(super) clock: &'a VectorClock,
}

/// Follows records as far as it can: the index of the first one left to the caller, or their number.
///
/// An address operand and displacement that together exceed 4 GiB trap, and the machine takes such a record
/// back; here the sum wraps.
///
/// # Panics
/// If a record names a site that is not in the table.
pub(super) fn drain(
    shadow: &mut Shadow,
    sites: &SiteWords,
    context: &mut ThreadContext,
    records: &[Record],
    plain: &Plain<'_>,
) -> usize {
    let mut done = 0;
    loop {
        if context.hidden() {
            done += skip_hidden(sites, context, &records[done..]);
        }
        done += check(shadow, sites, context, &records[done..], plain);
        let Some(record) = records.get(done) else {
            return done;
        };
        let word = sites.0[record.site().0 as usize];
        if kind_of(word) <= WRITE {
            return done;
        }
        follow_record(context, kind_of(word), record.site());
        done += 1;
    }
}

const CALL: u8 = SiteKind::Call as u8;
const RETURN: u8 = SiteKind::Return as u8;

#[inline(always)]
fn kind_of(word: u64) -> u8 {
    (word >> 40) as u8
}

/// The loop. Whatever is rare is a call, so that everything it needs stays in registers. Stops at accesses
/// that race, or begin an epoch, and where something is hidden.
#[inline(never)]
fn check(
    shadow: &mut Shadow,
    sites: &SiteWords,
    context: &mut ThreadContext,
    records: &[Record],
    plain: &Plain<'_>,
) -> usize {
    let epoch = plain.epoch;
    for (at, &record) in records.iter().enumerate() {
        let site = record.site();
        let word = sites.0[site.0 as usize];
        let addr = record.base().wrapping_add(word as u32);
        let select = SELECTORS[usize::from((word >> 32) as u8 | (addr & 7) as u8)];
        if select != 0 {
            if !shadow.redundant(addr, select, epoch) && !miss(shadow, addr, site, select, plain) {
                return at;
            }
        } else if kind_of(word) == CALL {
            context.call(site);
        } else if kind_of(word) == RETURN {
            context.ret();
        } else if !span(shadow, word, addr, site, plain) {
            return at;
        }
    }
    records.len()
}

/// An access to one granule that is not redundant. False if it is left to the caller.
#[inline(never)]
fn miss(shadow: &mut Shadow, addr: u32, site: SiteId, select: u64, plain: &Plain<'_>) -> bool {
    match plain.read {
        Some(read) => shadow.update_quietly(addr >> 3, read.at(site, select), plain.clock),
        None => false,
    }
}

/// An access to two granules or three. False if it is left to the caller, or is no access.
#[inline(never)]
fn span(shadow: &mut Shadow, word: u64, addr: u32, site: SiteId, plain: &Plain<'_>) -> bool {
    let (width, write) = ((word >> 48) & 0xff, kind_of(word) == WRITE);
    if kind_of(word) > WRITE {
        return false;
    }
    if shadow.redundant_span(addr, width as u32, write, plain.epoch) {
        return true;
    }
    // What is remembered before a race is found is of the same access, and the caller's doing it again is a
    // repetition.
    plain.read.is_some_and(|read| {
        granules(addr.into(), width).all(|(granule, mask)| {
            let new = read.at(site, selector(mask, write));
            shadow.update_quietly(granule, new, plain.clock)
        })
    })
}

/// Follows records while they are hidden: how many these are.
fn skip_hidden(sites: &SiteWords, context: &mut ThreadContext, records: &[Record]) -> usize {
    for (at, &record) in records.iter().enumerate() {
        let kind = kind_of(sites.0[record.site().0 as usize]);
        if kind > WRITE {
            follow_record(context, kind, record.site());
            if !context.hidden() {
                return at + 1;
            }
        }
    }
    records.len()
}

/// Everything about a record that is not an access.
#[inline]
pub(super) fn follow_record(context: &mut ThreadContext, kind: u8, site: SiteId) {
    const HIDE_BEGIN: u8 = SiteKind::HideBegin as u8;
    const HIDE_END: u8 = SiteKind::HideEnd as u8;
    match kind {
        CALL => context.call(site),
        RETURN => context.ret(),
        HIDE_BEGIN => context.hide_begin(),
        HIDE_END => context.hide_end(),
        _ => {}
    }
}

/// Calls, returns and hidden functions only.
///
/// # Panics
/// If a record names a site that is not in the table.
pub(super) fn follow(sites: &SiteTable, context: &mut ThreadContext, records: &[Record]) {
    for &record in records {
        let kind = sites.packed(record.site()).kind();
        if kind > WRITE {
            follow_record(context, kind, record.site());
        }
    }
}
