//! One access, as shadow memory remembers it: an epoch, what kind, which bytes, and a hint at where.

use crate::detect::clocks::clock::{MAX_CLOCK, Slot, VectorClock};
use crate::model::sites::SiteId;

const CLOCK_SHIFT: u32 = 32;
const SLOT_SHIFT: u32 = 21;
const ATOMIC: u64 = 1 << 20;
const WRITE_SHIFT: u32 = 19;
const WRITE: u64 = 1 << WRITE_SHIFT;
const MASK_SHIFT: u32 = 11;
const MASK: u64 = 0xff << MASK_SHIFT;
/// Marks the end of a heap block. Such a cell has `ATOMIC` as well, so that no plain access repeats it; it conflicts
/// as a plain write.
const FREES: u64 = 1 << 10;
const HASH: u64 = FREES - 1;
const SLOT: u64 = (1 << 11) - 1;
/// Clock, slot and atomicity: what must be the same for two accesses to be interchangeable.
const EPOCH: u64 = !(WRITE | MASK | HASH);

/// `clock 32 | slot 11 | atomic 1 | write 1 | mask 8 | frees 1 | site hash 10`, from the highest bit down.
///
/// The mask says which bytes of an aligned granule of 8. The clock of a real access is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub(in crate::detect) struct Cell(pub(in crate::detect) u64);

/// What of a cell matters to a plain access of the bytes `mask`, if the cell is to make it redundant.
pub(in crate::detect) const fn selector(mask: u8, write: bool) -> u64 {
    EPOCH | (mask as u64) << MASK_SHIFT | if write { WRITE } else { 0 }
}

/// The epoch of a thread's plain accesses, in the places where a cell has it, and ones below.
#[derive(Clone, Copy, Debug)]
pub(in crate::detect) struct OpenEpoch(u64);

impl OpenEpoch {
    /// Never equal to the epoch of any cell.
    pub(in crate::detect) const NONE: OpenEpoch =
        OpenEpoch((MAX_CLOCK as u64 + 1) << CLOCK_SHIFT | !EPOCH);

    /// Epoch `clock` of the thread that has `slot`.
    #[inline]
    pub(in crate::detect) fn new(slot: Slot, clock: u32) -> Self {
        OpenEpoch(epoch_bits(slot, clock) | !EPOCH)
    }

    /// Whether a cell makes a plain access of this epoch with that selector redundant: same epoch, not atomic,
    /// covers its bytes, and is a write if the access is.
    #[inline(always)]
    pub(in crate::detect) fn hit(self, cell: u64, selector: u64) -> bool {
        (cell ^ self.0) & selector == 0
    }
}

fn epoch_bits(slot: Slot, clock: u32) -> u64 {
    u64::from(clock) << CLOCK_SHIFT | u64::from(slot.0) << SLOT_SHIFT
}

/// What a cell keeps of a site: enough to tell two sites apart, mostly.
#[inline]
pub(in crate::detect) fn site_hash(site: Option<SiteId>) -> u64 {
    let id = site.map_or(0, |site| site.0.wrapping_add(1));
    u64::from(id.wrapping_mul(0x9e37_79b1) >> 22)
}

impl Cell {
    /// An access to no bytes yet.
    #[inline]
    pub(in crate::detect) fn new(
        slot: Slot,
        clock: u32,
        write: bool,
        atomic: bool,
        site: Option<SiteId>,
    ) -> Self {
        Cell(
            epoch_bits(slot, clock)
                | if atomic { ATOMIC } else { 0 }
                | if write { WRITE } else { 0 }
                | site_hash(site),
        )
    }

    /// The end of a heap block instead, which nothing that comes later is in order with.
    #[inline]
    pub(in crate::detect) fn freeing(self) -> Self {
        Cell(self.0 | ATOMIC | WRITE | FREES)
    }

    /// Whether it is the end of a heap block.
    #[inline]
    pub(in crate::detect) fn frees(self) -> bool {
        self.0 & FREES != 0
    }

    /// The access of a site with that selector, of the same epoch as this plain read without a site.
    #[inline]
    pub(in crate::detect) fn at(self, site: SiteId, selector: u64) -> Self {
        Cell(self.0 & EPOCH | selector & !EPOCH | site_hash(Some(site)))
    }

    #[inline]
    pub(in crate::detect) fn clock(self) -> u32 {
        (self.0 >> CLOCK_SHIFT) as u32
    }

    #[inline]
    pub(in crate::detect) fn slot(self) -> Slot {
        Slot((self.0 >> SLOT_SHIFT & SLOT) as u16)
    }

    #[inline]
    pub(in crate::detect) fn atomic(self) -> bool {
        self.0 & (ATOMIC | FREES) == ATOMIC
    }

    #[inline]
    pub(in crate::detect) fn write(self) -> bool {
        self.0 & WRITE != 0
    }

    #[inline]
    pub(in crate::detect) fn mask(self) -> u8 {
        (self.0 >> MASK_SHIFT) as u8
    }

    #[inline]
    pub(in crate::detect) fn hash(self) -> u16 {
        (self.0 & HASH) as u16
    }

    /// The same access to other bytes.
    #[inline]
    pub(in crate::detect) fn with_mask(self, mask: u8) -> Self {
        Cell(self.0 & !MASK | u64::from(mask) << MASK_SHIFT)
    }

    /// Without these bytes; 0 if none is left.
    #[inline]
    pub(in crate::detect) fn without(self, mask: u8) -> u64 {
        let left = self.mask() & !mask;
        if left == 0 { 0 } else { self.with_mask(left).0 }
    }

    /// Whether the two may not happen at once: one writes and one is not atomic.
    #[inline]
    pub(in crate::detect) fn conflicts(self, other: Cell) -> bool {
        (self.0 | other.0) & WRITE != 0 && !(self.atomic() && other.atomic())
    }

    /// Whether it races with an access that a thread makes which knows `clock`.
    #[inline]
    pub(in crate::detect) fn races(self, later: Cell, clock: &VectorClock) -> bool {
        self.mask() & later.mask() != 0 && self.conflicts(later) && !self.before(clock)
    }

    /// Whether everything that conflicts with `other` conflicts with this as well.
    #[inline]
    pub(in crate::detect) fn covers_kind(self, other: Cell) -> bool {
        (self.write() || !other.write())
            && (!self.atomic() || other.atomic())
            && (self.frees() || !other.frees())
    }

    /// Whether it happens before what a thread that knows `clock` does now, and may. Nothing may happen after the
    /// end of a block.
    #[inline]
    pub(in crate::detect) fn before(self, clock: &VectorClock) -> bool {
        self.known(clock) && !self.frees()
    }

    /// Whether a thread that has this clock knows of it.
    #[inline]
    pub(in crate::detect) fn known(self, clock: &VectorClock) -> bool {
        clock.get(self.slot()) >= self.clock()
    }

    /// Same thread, same epoch.
    #[inline]
    pub(in crate::detect) fn same_epoch(self, other: Cell) -> bool {
        (self.0 ^ other.0) & (EPOCH & !ATOMIC) == 0
    }

    /// Same epoch and kind, so that the two differ in bytes and site only.
    #[inline]
    pub(in crate::detect) fn same_but_bytes(self, other: Cell) -> bool {
        (self.0 ^ other.0) & (EPOCH | WRITE | FREES) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

    #[test]
    fn the_end_of_a_block_is_a_plain_write_that_nothing_repeats_or_follows() {
        let end = cell(3, 9, (false, false)).freeing().with_mask(0xff);
        assert!(end.write() && !end.atomic() && end.frees());
        assert!(!OpenEpoch::new(Slot(3), 9).hit(end.0, selector(1, true)));
        let mut clock = VectorClock::default();
        clock.set(Slot(3), 9);
        assert!(end.known(&clock) && !end.before(&clock));
        for kind in KINDS {
            let other = cell(3, 9, kind).with_mask(0xff);
            assert!(end.conflicts(other) && other.conflicts(end));
            assert!(end.covers_kind(other) && !other.covers_kind(end));
            assert!(!end.same_but_bytes(other));
            assert!(!other.frees() && other.before(&clock));
        }
    }

    fn cell(slot: u16, clock: u32, (write, atomic): (bool, bool)) -> Cell {
        Cell::new(Slot(slot), clock, write, atomic, Some(SiteId(7)))
    }

    #[test]
    fn fields_do_not_touch() {
        let site = SiteId(123_456);
        let cell = Cell::new(Slot(2047), MAX_CLOCK, true, true, Some(site)).with_mask(0xa5);
        assert_eq!(cell.slot(), Slot(2047));
        assert_eq!(cell.clock(), MAX_CLOCK);
        assert!(cell.write() && cell.atomic());
        assert_eq!(cell.mask(), 0xa5);
        assert_eq!(u64::from(cell.hash()), site_hash(Some(site)));
        assert_eq!(Cell(cell.without(0x0f)).mask(), 0xa0);
        assert_eq!(cell.without(0xff), 0);
    }

    #[test]
    fn a_kind_covers_another_iff_it_conflicts_with_no_less() {
        for a in KINDS {
            for b in KINDS {
                let no_less = KINDS.iter().all(|&c| {
                    !cell(1, 1, b).conflicts(cell(2, 1, c))
                        || cell(0, 1, a).conflicts(cell(2, 1, c))
                });
                assert_eq!(
                    cell(0, 1, a).covers_kind(cell(1, 1, b)),
                    no_less,
                    "{a:?} {b:?}"
                );
            }
        }
    }

    #[test]
    fn hits_what_makes_an_access_redundant() {
        let epoch = OpenEpoch::new(Slot(3), 9);
        for kind in KINDS {
            for write in [false, true] {
                let access = cell(3, 9, (write, false)).with_mask(0x0c);
                let selector = selector(0x0c, write);
                assert_eq!(cell(3, 9, (false, false)).at(SiteId(7), selector), access);
                for (old, same) in [
                    (cell(3, 9, kind), true),
                    (cell(3, 8, kind), false),
                    (cell(2, 9, kind), false),
                ] {
                    let redundant = same && old.covers_kind(access) && !old.atomic();
                    assert_eq!(epoch.hit(old.with_mask(0x1c).0, selector), redundant);
                    assert!(!epoch.hit(old.with_mask(0x04).0, selector));
                    assert!(!OpenEpoch::NONE.hit(old.with_mask(0x1c).0, selector));
                }
            }
        }
        assert!(!epoch.hit(0, selector(1, false)));
        assert!(!OpenEpoch::NONE.hit(0, selector(1, false)));
    }
}
