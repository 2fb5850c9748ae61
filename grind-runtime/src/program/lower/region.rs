//! Regions: stretches of straight-line code, whose records share one check of the ring, a header, and the address
//! operands that are the same value (see [`Records`](crate::model::Records) for what this looks like in the ring).
//!
//! A region with several records looks once whether there is room for all, and exists twice:
//!
//! ```text
//! block
//!   block
//!     br_if 0 (ring <= end - 4 * words)
//!     …each record by a call that checks…
//!     br 1
//!   end
//!   …each new address operand by a store, the first together with the header…
//!   ring += 4 * words
//! end
//! ```
//!
//! The slow copy runs only where a slice ends within it, so a thread can still be suspended at any record.
//!
//! The header is written before the first access and speaks for all of them. So whoever finds it has to know how
//! far the thread came: between its first and last record nothing but an access traps, and which one did can
//! be told from its address.

use super::operands::Operands;
use crate::model::sites::Site;
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
    /// It has none.
    None,
    /// The value of this local after the region wrote it so many times.
    Local { local: u32, version: u32 },
    /// This constant.
    Constant(i32),
    /// The operand at this height, which this piece left, or an earlier region.
    Operand { height: usize, piece: Option<usize> },
}

/// A record that precedes an instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) site: Site,
    pub(super) base: Base,
    /// Type of the operand above the address, if there is one.
    pub(super) above: Option<ValType>,
}

/// One instruction.
#[derive(Debug)]
pub(super) struct Piece {
    /// In [`Region::bytes`].
    code: Range<usize>,
    /// In [`Region::records`].
    records: Range<usize>,
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
    pub(super) records: Vec<Planned>,
    /// Operands at its beginning.
    below: Vec<ValType>,
    /// Locals that it writes, with how often so far.
    written: Vec<(u32, u32)>,
    since_record: usize,
}

/// How a region is laid out.
#[derive(Debug)]
pub(super) struct Plan {
    /// Pieces that exist twice, or, with one record, those after the check.
    pub(super) inner: Range<usize>,
    pub(super) records: usize,
    /// Where the address operand of each is.
    pub(super) places: SmallVec<[Place; 8]>,
    /// Words that the records take.
    pub(super) words: usize,
    /// Operands that the inner pieces take from outside: from this height to `top`.
    pub(super) taken: Range<usize>,
    /// Operands that the inner pieces leave: from the same height to this one.
    pub(super) left: Range<usize>,
}

/// Where the address operand of a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The word of the region.
    pub(super) word: u8,
    /// No record before has the same.
    pub(super) first: bool,
}

impl Region {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.pieces.clear();
        self.records.clear();
        self.written.clear();
        self.since_record = 0;
    }

    /// Whether there is a record in it.
    pub(super) fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// The code of some pieces, without records.
    pub(super) fn code_of(&self, pieces: Range<usize>) -> &[u8] {
        match &self.pieces[pieces] {
            [] => &[],
            [only] => &self.bytes[only.code.clone()],
            [first, .., last] => &self.bytes[first.code.start..last.code.end],
        }
    }

    /// The records of some pieces.
    pub(super) fn records_of(&self, pieces: Range<usize>) -> &[Planned] {
        match &self.pieces[pieces] {
            [] => &[],
            [only] => &self.records[only.records.clone()],
            [first, .., last] => &self.records[first.records.start..last.records.end],
        }
    }

    /// How often it wrote a local so far.
    pub(super) fn version(&self, local: u32) -> u32 {
        let known = self.written.iter().find(|&&(written, _)| written == local);
        known.map_or(0, |&(_, times)| times)
    }

    /// It writes a local.
    pub(super) fn local_written(&mut self, local: u32) {
        match self
            .written
            .iter_mut()
            .find(|(written, _)| *written == local)
        {
            Some((_, times)) => *times += 1,
            None => self.written.push((local, 1)),
        }
    }

    /// Whether the next instruction should begin another region.
    pub(super) fn is_full(&self) -> bool {
        // An access may bring the record of a return with it.
        self.records.len() + 2 > MOST_RECORDS
            || (self.has_records() && self.since_record >= LONGEST_GAP)
    }

    /// To be called before the first instruction.
    pub(super) fn begin(&mut self, operands: &Operands) {
        debug_assert!(self.is_empty());
        self.below.clear();
        self.below.extend(operands.types());
    }

    /// Adds the instruction whose code was appended to `bytes`, and its records to `records`, from there on.
    pub(super) fn add(
        &mut self,
        (from, records): (usize, usize),
        (low, result): (usize, Option<ValType>),
        may_trap: bool,
    ) {
        let records = records..self.records.len();
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
        let records = self.records.len() + tail;
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
        let (places, words) = self.places(tail);
        Some(Plan {
            inner: start..end,
            records,
            places,
            words,
            taken: bottom..top,
            left: bottom..self.height(end),
        })
    }

    /// Where the address operands are, of `tail` records without any at the end as well, and the number of words.
    fn places(&self, tail: usize) -> (SmallVec<[Place; 8]>, usize) {
        let mut bases: SmallVec<[Base; 8]> = SmallVec::new();
        let mut places = SmallVec::new();
        for planned in &self.records {
            let known = bases.iter().position(|&base| base == planned.base);
            let (index, first) = match (planned.base, known) {
                (Base::None, _) => (0, false),
                (_, Some(index)) => (index, false),
                (base, None) => {
                    bases.push(base);
                    (bases.len() - 1, true)
                }
            };
            // The header is the second word.
            let word = if index == 0 { 0 } else { index as u8 + 1 };
            places.push(Place { word, first });
        }
        let nowhere = Place {
            word: 0,
            first: false,
        };
        places.extend(std::iter::repeat_n(nowhere, tail));
        (places, bases.len().max(1) + 1)
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
