//! Regions, written out: their records, once or twice.

use super::{Body, NamedBase, Slot, ring_word};
use crate::model;
use crate::model::sites::{Site, SiteId};
use crate::program::RING_END;
use crate::program::lower::operands::Origin;
use crate::program::lower::region::{Base, Place, Plan, Planned, Region};
use smallvec::SmallVec;
use std::ops::Range;
use wasm_encoder::{BlockType, ValType};

/// How the records of a region are made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// By stores, without a check.
    Fast,
    /// Each by a call that checks.
    Slow,
}

/// A region that is written out.
struct Output<'a> {
    region: &'a Region,
    plan: &'a Plan,
    mode: Mode,
    ring: u32,
    /// Site of its first record.
    first: SiteId,
}

impl Body<'_> {
    /// Ends the present region, with this record at its end, if any.
    pub(super) fn end_region(&mut self, last: Option<Site>) {
        let mut region = std::mem::take(&mut self.region);
        if region.is_empty() {
            region.begin(&self.operands);
        }
        let tail: SmallVec<[Site; 2]> = self.returned.take().into_iter().chain(last).collect();
        let (Some(ring), Some(plan)) = (self.ring, region.plan(tail.len())) else {
            self.code.extend_from_slice(&region.bytes);
            self.operands.end_region(|_, _, _| Origin::Unknown);
            return self.reuse(region);
        };
        let planned = region.records.iter();
        let sites = (planned.map(|planned| planned.site))
            .chain(tail)
            .zip(plan.places.iter().map(|place| place.word));
        let mut out = Output {
            first: self.sites.push_region(sites),
            region: &region,
            plan: &plan,
            mode: Mode::Fast,
            ring,
        };
        self.copy_pieces(&region, 0..plan.inner.start);
        if plan.records == 1 {
            self.check_ring(ring);
            self.inner(&out);
            self.operands.end_region(|_, _, _| Origin::Unknown);
        } else {
            self.twice(&mut out);
        }
        self.copy_pieces(&region, plan.inner.end..region.pieces.len());
        self.reuse(region);
    }

    /// Keeps the buffers.
    fn reuse(&mut self, mut region: Region) {
        region.clear();
        self.region = region;
    }

    /// A region with several records.
    fn twice(&mut self, out: &mut Output<'_>) {
        let plan = out.plan;
        let bottom = plan.taken.start;
        let local_of = |body: &mut Self, at: usize, types: &[ValType]| {
            let ty = types[at - bottom];
            body.extra_local(ty, Slot::Operand(at, ty))
        };
        let taken = out.region.types(plan.inner.start, bottom);
        let left = out.region.types(plan.inner.end, bottom);
        for at in plan.taken.clone().rev() {
            let local = local_of(self, at, &taken);
            self.sink().local_set(local);
        }
        self.sink().block(BlockType::Empty);
        self.sink().block(BlockType::Empty);
        self.sink().local_get(out.ring);
        self.sink()
            .i32_const(RING_END.cast_signed() - 4 * plan.words as i32);
        self.sink().i32_le_u();
        self.sink().br_if(0);
        for mode in [Mode::Slow, Mode::Fast] {
            out.mode = mode;
            if mode == Mode::Slow {
                self.store_ring();
            }
            for at in plan.taken.clone() {
                let local = local_of(self, at, &taken);
                self.sink().local_get(local);
            }
            self.inner(out);
            if mode == Mode::Slow {
                self.load_ring(out.ring);
            }
            for at in plan.left.clone().rev() {
                let local = local_of(self, at, &left);
                self.sink().local_set(local);
            }
            if mode == Mode::Slow {
                self.sink().br(1);
            }
            self.sink().end();
        }
        for at in plan.left.clone() {
            let local = local_of(self, at, &left);
            self.sink().local_get(local);
        }
        let (first, extra) = (self.first_extra, &self.extra);
        self.operands.end_region(|height, piece, ty| {
            let wanted = Slot::Operand(height, ty);
            let known = extra.iter().position(|&(slot, _)| slot == wanted);
            match known {
                Some(position) if plan.left.contains(&height) && piece < plan.inner.end => {
                    Origin::Local(first + position as u32)
                }
                _ => Origin::Unknown,
            }
        });
    }

    /// Pieces without their records.
    fn copy_pieces(&mut self, region: &Region, pieces: Range<usize>) {
        self.code.extend_from_slice(region.code_of(pieces));
    }

    /// The inner pieces of a region, with all of its records.
    fn inner(&mut self, out: &Output<'_>) {
        let Output { region, plan, .. } = *out;
        // Addresses that have to be kept when they are left, by piece.
        let mut kept: SmallVec<[(usize, u32); 8]> = SmallVec::new();
        for planned in region.records_of(plan.inner.clone()) {
            if let Base::Operand {
                height,
                piece: Some(piece),
            } = planned.base
                && piece >= plan.inner.start
            {
                kept.push((piece, self.extra_local(ValType::I32, Slot::Address(height))));
            }
        }
        let mut index = 0;
        let mut from = plan.inner.start;
        for at in plan.inner.clone() {
            let records = region.records_of(at..at + 1);
            if !records.is_empty() {
                self.copy_pieces(region, from..at);
                from = at;
            }
            for planned in records {
                self.piece_record(out, index, planned);
                index += 1;
            }
            if let Some(&(_, local)) = kept.iter().find(|&&(piece, _)| piece == at) {
                self.copy_pieces(region, from..at + 1);
                from = at + 1;
                self.sink().local_tee(local);
            }
        }
        self.copy_pieces(region, from..plan.inner.end);
        let none = NamedBase::Constant(0);
        if out.mode == Mode::Slow {
            for index in index..plan.records {
                self.record(out, index, none);
            }
        } else {
            if !plan.places.iter().any(|place| place.first) {
                self.store_header(out, none);
            }
            self.advance_ring(out.ring, plan.words);
        }
    }

    fn piece_record(&mut self, out: &Output<'_>, index: usize, planned: &Planned) {
        let plan = out.plan;
        let base = match planned.base {
            Base::None => NamedBase::Constant(0),
            Base::Local { local, .. } => NamedBase::Local(local),
            Base::Constant(value) => NamedBase::Constant(value),
            Base::Operand {
                height,
                piece: Some(piece),
            } if piece >= plan.inner.start => {
                NamedBase::Local(self.extra_local(ValType::I32, Slot::Address(height)))
            }
            // It came from outside, by way of a local, if the region exists twice.
            Base::Operand { height, .. } if plan.records > 1 => {
                let slot = Slot::Operand(height, ValType::I32);
                NamedBase::Local(self.extra_local(ValType::I32, slot))
            }
            Base::Operand { height, .. } => {
                let address = self.extra_local(ValType::I32, Slot::Address(height));
                let value = (planned.above).map(|ty| self.extra_local(ty, Slot::Value(ty)));
                if let Some(value) = value {
                    self.sink().local_set(value);
                }
                self.sink().local_tee(address);
                self.record(out, index, NamedBase::Local(address));
                if let Some(value) = value {
                    self.sink().local_get(value);
                }
                return;
            }
        };
        self.record(out, index, base);
    }

    /// Writes the header of a region, and its first address operand.
    fn store_header(&mut self, out: &Output<'_>, base: NamedBase) {
        let header = match out.plan.records {
            1 => out.first.0,
            _ => model::header(out.first, out.plan.words),
        };
        self.store_first_words(out.ring, header, base);
    }

    fn base(&mut self, base: NamedBase) {
        match base {
            NamedBase::Local(local) => self.sink().local_get(local),
            NamedBase::Constant(base) => self.sink().i32_const(base),
        };
    }

    /// Makes a record of a region.
    fn record(&mut self, out: &Output<'_>, index: usize, base: NamedBase) {
        match out.mode {
            Mode::Fast => {
                let Place { word, first } = out.plan.places[index];
                if first && word == 0 {
                    self.store_header(out, base);
                } else if first {
                    self.sink().local_get(out.ring);
                    self.base(base);
                    self.sink().i32_store(ring_word(word));
                }
            }
            Mode::Slow => {
                self.base(base);
                let site = out.first.0 + index as u32;
                self.sink().i32_const(site.cast_signed());
                self.call(self.context.step());
            }
        }
    }
}
