//! Regions: stretches of straight-line code, whose records share one check of the ring.
//!
//! A check is dearer than a record: a branch, and a ring slot that is updated in memory at each. So a region
//! with several records looks once whether there are as many slots, and exists twice:
//!
//! ```text
//! block
//!   block
//!     br_if 0 (ring <= end - 8 * records)
//!     …each record by a call that checks…
//!     br 1
//!   end
//!   …each record by a store…
//!   ring += 8 * records
//! end
//! ```
//!
//! The slow copy runs only where a slice ends within it, so a slice still ends exactly at its last record. On
//! the mixed kernel of `benches/slowdown.rs` this took a third of the cost of recording away.

use super::operands::Operands;
use crate::program::sites::SiteId;
use smallvec::SmallVec;
use std::ops::Range;
use wasm_encoder::ValType;

/// Records of a region at most. The slow copy takes over this much before the end of a slice.
pub(super) const MOST_RECORDS: usize = 32;

/// Instructions without a record at most between two of a region, since all of it exists twice.
const LONGEST_GAP: usize = 24;

/// How far beyond its records a region may reach for a place where the operand stack is low.
const REACH: usize = 12;

/// The address operand of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The present value of this local.
    Local(u32),
    /// This constant.
    Constant(i32),
    /// The operand at this height, which this piece left, or an earlier region.
    Operand { height: usize, piece: Option<usize> },
}

/// A record that precedes an instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) site: SiteId,
    pub(super) base: Base,
    /// Type of the operand above the address, if there is one.
    pub(super) above: Option<ValType>,
}

/// One instruction.
#[derive(Debug)]
pub(super) struct Piece {
    /// In [`Region::bytes`].
    pub(super) code: Range<usize>,
    pub(super) records: SmallVec<[Planned; 1]>,
    /// Operand stack without its operands, and with its result.
    low: usize,
    height: usize,
    /// Type of the result, if there is one.
    result: Option<ValType>,
    /// It may end the thread, so that no record that follows may move before it, nor one that precedes
    /// behind it.
    fixed: bool,
}

/// A region under construction.
#[derive(Default)]
pub(super) struct Region {
    pub(super) bytes: Vec<u8>,
    pub(super) pieces: Vec<Piece>,
    /// Operands at its beginning.
    below: Vec<ValType>,
    records: usize,
    since_record: usize,
}

/// How a region is laid out.
#[derive(Debug)]
pub(super) struct Plan {
    /// Pieces that exist twice, or, with one record, those after the check.
    pub(super) inner: Range<usize>,
    pub(super) records: usize,
    /// Operands that the inner pieces take from outside: from this height to `top`.
    pub(super) taken: Range<usize>,
    /// Operands that the inner pieces leave: from the same height to this one.
    pub(super) left: Range<usize>,
}

impl Region {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
        self.records = 0;
        self.since_record = 0;
    }

    /// Whether the next instruction should begin another region.
    pub(super) fn is_full(&self) -> bool {
        // An access may bring the record of a return with it.
        self.records + 2 > MOST_RECORDS || (self.records > 0 && self.since_record >= LONGEST_GAP)
    }

    /// To be called before the first instruction.
    pub(super) fn begin(&mut self, operands: &Operands) {
        debug_assert!(self.is_empty());
        self.below.clear();
        self.below.extend(operands.types());
    }

    /// Adds the instruction whose code was appended to `bytes` from `from` on.
    pub(super) fn add(
        &mut self,
        from: usize,
        records: SmallVec<[Planned; 1]>,
        (low, result): (usize, Option<ValType>),
        may_trap: bool,
    ) {
        self.records += records.len();
        self.since_record = if records.is_empty() {
            self.since_record + 1
        } else {
            0
        };
        self.pieces.push(Piece {
            code: from..self.bytes.len(),
            fixed: may_trap || !records.is_empty(),
            records,
            low,
            height: low + usize::from(result.is_some()),
            result,
        });
    }

    /// Height of the operand stack before a piece, or at the end.
    pub(super) fn height(&self, piece: usize) -> usize {
        match piece.checked_sub(1) {
            Some(last) => self.pieces[last].height,
            None => self.below.len(),
        }
    }

    /// Lays out the region, with `tail` records that belong before its end, wherever nothing is `fixed`. None
    /// if there are no records.
    pub(super) fn plan(&self, tail: usize) -> Option<Plan> {
        let records = self.records + tail;
        if records == 0 {
            return None;
        }
        let len = self.pieces.len();
        let after_last = |of: &dyn Fn(&Piece) -> bool| {
            let last = self.pieces.iter().rposition(of);
            last.map_or(0, |last| last + 1)
        };
        let after_records = after_last(&|piece| !piece.records.is_empty());
        let from = if tail > 0 {
            after_last(&|piece| piece.fixed)
        } else {
            after_records
        };
        let end = (from..=len.min(from + REACH))
            .min_by_key(|&at| self.height(at))
            .unwrap_or(from);
        let first = self
            .pieces
            .iter()
            .position(|piece| !piece.records.is_empty());
        let first = first.unwrap_or(end);
        // From back to front: the lowest the inner pieces reach, if they begin there.
        let mut low = self.pieces[first..end].iter().map(|piece| piece.low).min();
        let mut best = (usize::MAX, first);
        for at in (first.saturating_sub(REACH)..=first).rev() {
            if at < first {
                low = Some(low.map_or(self.pieces[at].low, |low| low.min(self.pieces[at].low)));
            }
            let height = self.height(at);
            // A single check stands in nobody's way, but what is on the stack there has to be put aside.
            let cost = if records == 1 {
                height
            } else {
                height - low.map_or(height, |low| low.min(height))
            };
            if cost < best.0 {
                best = (cost, at);
            }
        }
        let start = best.1;
        let top = self.height(start);
        let bottom = self.pieces[start..end].iter().map(|piece| piece.low).min();
        let bottom = bottom.map_or(top, |bottom| bottom.min(top));
        Some(Plan {
            inner: start..end,
            records,
            taken: bottom..top,
            left: bottom..self.height(end),
        })
    }

    /// Types of the operands before a piece, or at the end, from this height up.
    pub(super) fn types(&self, piece: usize, from: usize) -> Vec<ValType> {
        let mut types = self.below.clone();
        for piece in &self.pieces[..piece] {
            types.truncate(piece.low);
            types.extend(piece.result);
        }
        types.split_off(from)
    }
}
