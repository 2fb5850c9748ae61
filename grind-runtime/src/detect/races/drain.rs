//! The hot loop: one look at every plain access.
//!
//! Half of a detecting run is spent here, so the loop does one thing well: it recognises accesses that repeat an
//! earlier one of the same epoch (nearly all do), and follows calls and returns. First touches and
//! accesses in new epochs are dealt with in [`Shadow::update_quietly`]; for anything else it
//! stops and leaves the record to its caller.
//!
//! **Cost.** About 30 instructions for a redundant access. Site words are 8 bytes per site, the
//! table of selectors 2 KiB.

use crate::detect::clocks::clock::VectorClock;
use crate::detect::clocks::order::granules;
use crate::detect::common::context::ThreadContext;
use crate::detect::races::cell::{Cell, OpenEpoch, selector};
use crate::detect::races::shadow::Shadow;
use crate::model::sites::{SiteId, SiteKind, SiteTable};
use crate::model::{Record, Records, Region, region};

/// The highest [`SiteKind`] that is an access.
pub(in crate::detect) const WRITE: u8 = SiteKind::Write as u8;

/// Per site, from the lowest bit up:
/// `displacement 32 | row of SELECTORS 8 | kind 8 | width 8 | word with the address operand 8`.
#[derive(Debug)]
pub(in crate::detect) struct SiteWords(Vec<u64>);

/// Row of sites that have no selector.
const NO_ROW: u64 = 64;

impl SiteWords {
    pub(in crate::detect) fn new(sites: &SiteTable) -> Self {
        let word = |index: usize| {
            let site = sites.packed(SiteId(index as u32));
            let (kind, width) = (u64::from(site.kind()), site.width());
            let row = match width {
                1 | 2 | 4 | 8 if site.kind() <= WRITE => {
                    (kind * 4 + u64::from(width.trailing_zeros())) * 8
                }
                _ => NO_ROW,
            };
            u64::from(site.displacement())
                | row << 32
                | kind << 40
                | u64::from(width) << 48
                | (site.word() as u64) << 56
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
pub(in crate::detect) struct Plain<'a> {
    /// The epoch of its accesses.
    pub(in crate::detect) epoch: OpenEpoch,
    /// A read in that epoch; none if the next access begins a new one.
    pub(in crate::detect) read: Option<Cell>,
    /// What it knows.
    pub(in crate::detect) clock: &'a VectorClock,
}

/// How far a batch of records was followed.
#[derive(Clone, Copy, Debug)]
pub(in crate::detect) struct Cursor<'a> {
    words: &'a [u32],
    /// Records of the first region in `words` that are done.
    index: usize,
    /// Records done, those of the first region left out.
    before: u64,
}

impl<'a> Cursor<'a> {
    pub(in crate::detect) fn new(records: Records<'a>) -> Self {
        Cursor {
            words: records.words(),
            index: 0,
            before: 0,
        }
    }

    /// Records done.
    pub(in crate::detect) fn done(&self) -> u64 {
        self.before + self.index as u64
    }

    fn region(&self, sites: &SiteTable) -> Option<Region<'a>> {
        region(self.words, sites)
    }

    fn pass(&mut self, region: &Region<'_>) {
        self.words = &self.words[region.words.len()..];
        self.before += region.len as u64;
        self.index = 0;
    }

    /// The next record.
    pub(in crate::detect) fn take(&mut self, sites: &SiteTable) -> Option<Record> {
        let region = self.region(sites)?;
        let record = region.record(sites, self.index);
        self.index += 1;
        if self.index == region.len {
            self.pass(&region);
        }
        Some(record)
    }
}

/// Follows records as far as it can. The record it stops at is an access, taken from the cursor and left to the
/// caller.
///
/// An address operand and displacement that together exceed 4 GiB trap, and the machine takes such a record
/// back; here the sum wraps.
///
/// # Panics
/// If a record names a site that is not in the table.
pub(in crate::detect) fn drain(
    shadow: &mut Shadow,
    (table, sites): (&SiteTable, &SiteWords),
    context: &mut ThreadContext,
    cursor: &mut Cursor<'_>,
    plain: &Plain<'_>,
) -> Option<Record> {
    if context.hidden() {
        // No record ends that, only an event.
        follow(table, context, cursor);
        return None;
    }
    loop {
        check(shadow, (table, sites), context, cursor, plain);
        let record = cursor.take(table)?;
        let kind = kind_of(sites.0[record.site().0 as usize]);
        if kind <= WRITE {
            return Some(record);
        }
        follow_record(context, kind, record.site());
    }
}

const CALL: u8 = SiteKind::Call as u8;
const RETURN: u8 = SiteKind::Return as u8;

#[inline(always)]
fn kind_of(word: u64) -> u8 {
    (word >> 40) as u8
}

/// The loop. Whatever is rare is a call, so that everything it needs stays in registers. Stops at accesses
/// that race, or begin an epoch.
#[inline(never)]
fn check(
    shadow: &mut Shadow,
    (table, sites): (&SiteTable, &SiteWords),
    context: &mut ThreadContext,
    cursor: &mut Cursor<'_>,
    plain: &Plain<'_>,
) {
    let epoch = plain.epoch;
    while let Some(region) = cursor.region(table) {
        let first = region.first.0 as usize;
        let index = cursor.index;
        let words = &sites.0[first + index..first + region.len];
        for (site, &word) in (first + index..).zip(words) {
            // A record on its own has its address operand first, wherever its region has it.
            let place = if region.single() { 0 } else { word >> 56 };
            let addr = region.words[place as usize].wrapping_add(word as u32);
            let select = SELECTORS[usize::from((word >> 32) as u8 | (addr & 7) as u8)];
            if select != 0 && shadow.redundant(addr, select, epoch) {
                continue;
            }
            if !unusual(shadow, context, (word, addr), SiteId(site as u32), plain) {
                cursor.index = site - first;
                return;
            }
        }
        cursor.pass(&region);
    }
}

/// A call, a return, or an access that is not redundant. False if it is left to the caller.
#[inline(never)]
fn unusual(
    shadow: &mut Shadow,
    context: &mut ThreadContext,
    (word, addr): (u64, u32),
    site: SiteId,
    plain: &Plain<'_>,
) -> bool {
    let select = SELECTORS[usize::from((word >> 32) as u8 | (addr & 7) as u8)];
    match (kind_of(word), plain.read) {
        (CALL, _) => context.call(site),
        (RETURN, _) => context.ret(),
        (kind, _) if kind > WRITE || select == 0 => return span(shadow, word, addr, site, plain),
        (_, Some(read)) => {
            return shadow.update_quietly(addr >> 3, read.at(site, select), plain.clock);
        }
        (_, None) => return false,
    }
    true
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

/// Everything about a record that is not an access.
#[inline]
pub(in crate::detect) fn follow_record(context: &mut ThreadContext, kind: u8, site: SiteId) {
    match kind {
        CALL => context.call(site),
        RETURN => context.ret(),
        _ => {}
    }
}

/// Calls and returns only. Of a region, these are the first record or the last.
///
/// # Panics
/// If a record names a site that is not in the table.
#[inline(never)]
pub(in crate::detect) fn follow(
    table: &SiteTable,
    context: &mut ThreadContext,
    cursor: &mut Cursor<'_>,
) {
    while let Some(region) = cursor.region(table) {
        if !region.bounded {
            cursor.pass(&region);
            continue;
        }
        let last = region.first.0 + region.len as u32 - 1;
        let next = region.first.0 + cursor.index as u32;
        let mut look = |site: SiteId| {
            let kind = table.packed(site).kind();
            if kind > WRITE {
                follow_record(context, kind, site);
            }
        };
        look(SiteId(next));
        if next != last {
            look(SiteId(last));
        }
        cursor.pass(&region);
    }
}
