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
#[inline(never)]
pub(super) fn drain(
    shadow: &mut Shadow,
    sites: &SiteWords,
    context: &mut ThreadContext,
    records: &[Record],
    plain: Plain<'_>,
) -> usize {
    let mut hidden = context.hidden();
    for (at, &record) in records.iter().enumerate() {
        let site = record.site();
        let word = sites.0[site.0 as usize];
        let addr = record.base().wrapping_add(word as u32);
        let select = SELECTORS[usize::from((word >> 32) as u8 | (addr & 7) as u8)];
        if select != 0 {
            if shadow.redundant(addr, select, plain.epoch) || hidden {
                continue;
            }
            let done = plain.read.is_some_and(|read| {
                shadow.update_quietly(addr >> 3, read.at(site, select), plain.clock)
            });
            if !done {
                return at;
            }
        } else {
            let kind = (word >> 40) as u8;
            if kind > WRITE {
                follow_record(context, kind, site);
                hidden = context.hidden();
            } else if !hidden {
                let (width, write) = (u32::from((word >> 48) as u8), kind == WRITE);
                if shadow.redundant_span(addr, width, write, plain.epoch) {
                    continue;
                }
                // What was done before a race is found does not matter to it: it is of the same access.
                let done = plain.read.is_some_and(|read| {
                    granules(addr.into(), width.into()).all(|(granule, mask)| {
                        let new = read.at(site, selector(mask, write));
                        shadow.update_quietly(granule, new, plain.clock)
                    })
                });
                if !done {
                    return at;
                }
            }
        }
    }
    records.len()
}

/// Everything about a record that is not an access.
#[inline(always)]
pub(super) fn follow_record(context: &mut ThreadContext, kind: u8, site: SiteId) {
    const CALL: u8 = SiteKind::Call as u8;
    const RETURN: u8 = SiteKind::Return as u8;
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
