//! Shadow memory: which accesses a later one could still race with, for every byte of guest memory.
//!
//! An aligned granule of 8 bytes has 16 bytes of shadow: one write [`Cell`] and one read [`Cell`]. When
//! that is not enough, the granule is *wide* ([`wide`](crate::detect::races::wide)): its first word refers to a list of
//! cells, and its second repeats the access that was last recorded, so that repeating that one is as cheap
//! as in a narrow granule. It becomes narrow again when an access leaves at most one cell of each kind.
//!
//! **What is kept.** An access is dropped, byte by byte, only when a newer one takes its place that it happens
//! before and that conflicts with everything it conflicts with (a plain write takes the place of
//! everything, a plain read of reads, an atomic write of atomics, an atomic read of atomic reads). So
//! whatever races with a dropped access races with the one in its place: a later access races with
//! something in shadow memory if and only if it races with anything that ever happened. That holds after a
//! first race as well, since accesses that race are all kept.
//!
//! The end of a heap block is a write that stays: whatever accesses these bytes later conflicts with it, in order or
//! not, until they are allocated again.
//!
//! **Cost.** 2 bytes of shadow per byte of guest memory, in segments of 64 KiB of guest memory, which are
//! allocated on first touch and committed by the operating system page by page. A segment that was only
//! ever accessed as a whole (filled, copied, freed) takes no memory but 16 bytes.

use crate::detect::clocks::clock::VectorClock;
use crate::detect::clocks::order::granules;
use crate::detect::races::cell::{Cell, OpenEpoch, selector};
use crate::detect::races::wide::{Granule, WideSlab, wide_index};
use rustc_hash::FxHashMap;

/// Granules of a segment: 64 KiB of guest memory.
const SEGMENT: usize = 1 << 13;
/// Bytes of a segment.
const SEGMENT_BYTES: u64 = 1 << 16;
/// Segments of a 4 GiB memory.
const SEGMENTS: usize = 1 << 16;

type Segment = Box<[Granule; SEGMENT]>;

/// See the module.
#[derive(Debug)]
pub(in crate::detect) struct Shadow {
    segments: Box<[Option<Segment>; SEGMENTS]>,
    /// The words of all granules of segments that are not allocated, where these are not 0.
    uniform: FxHashMap<usize, Granule>,
    /// Wide granules per segment.
    wide_in: Box<[u16; SEGMENTS]>,
    wide: WideSlab,
    allocated: usize,
}

/// How much shadow memory is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::detect) struct ShadowSize {
    /// Segments allocated, 128 KiB each.
    pub(in crate::detect) segments: usize,
    /// Wide granules.
    pub(in crate::detect) wide: usize,
    /// Bytes used for these.
    pub(in crate::detect) wide_bytes: usize,
}

impl ShadowSize {
    /// Bytes in use; pages of segments that were never touched count as well.
    pub(in crate::detect) fn bytes(self) -> u64 {
        ((self.segments << 17) + self.wide_bytes) as u64
    }
}

fn position(granule: u32) -> (usize, usize) {
    (granule as usize / SEGMENT, granule as usize % SEGMENT)
}

/// Lets a narrow granule remember an access. Changes nothing and returns false if the access races, or needs the
/// granule to be wide, or it is.
#[inline]
fn narrow(words: &mut Granule, new: Cell, clock: &VectorClock) -> bool {
    let [write, read] = *words;
    let target = usize::from(!new.write());
    if write | read == 0 {
        words[target] = new.0;
        return true;
    }
    if wide_index(write).is_some() {
        return false;
    }
    let mut redundant = 0;
    let mut left = |word: u64| {
        let old = Cell(word);
        let shared = old.mask() & new.mask();
        if shared == 0 {
            return Some(word);
        }
        if !old.before(clock) {
            return (!old.conflicts(new)).then_some(word);
        }
        if old.same_epoch(new) && old.covers_kind(new) {
            redundant |= shared;
        } else if new.covers_kind(old) {
            return Some(old.without(shared));
        }
        Some(word)
    };
    let (Some(write), Some(read)) = (left(write), left(read)) else {
        return false;
    };
    if redundant == new.mask() {
        return true;
    }
    let beside = Cell(if new.write() { write } else { read });
    let next = if beside.0 == 0 {
        new
    } else if beside.same_but_bytes(new) {
        new.with_mask(new.mask() | beside.mask())
    } else {
        return false;
    };
    *words = if new.write() {
        [next.0, read]
    } else {
        [write, next.0]
    };
    true
}

impl Shadow {
    /// Nothing accessed; at most `max_wide_bytes` for wide granules.
    pub(in crate::detect) fn new(max_wide_bytes: usize) -> Self {
        Shadow {
            segments: boxed(vec![None; SEGMENTS]),
            uniform: FxHashMap::default(),
            wide_in: boxed(vec![0; SEGMENTS]),
            wide: WideSlab::new(max_wide_bytes),
            allocated: 0,
        }
    }

    /// Whether a plain access that starts at `addr` and lies in one granule is redundant.
    #[inline(always)]
    pub(in crate::detect) fn redundant(&self, addr: u32, selector: u64, epoch: OpenEpoch) -> bool {
        match &self.segments[(addr >> 16) as usize] {
            Some(segment) => {
                let [first, second] = segment[addr as usize >> 3 & (SEGMENT - 1)];
                epoch.hit(first, selector) | epoch.hit(second, selector)
            }
            None => false,
        }
    }

    /// Whether a plain access of any width is redundant.
    pub(in crate::detect) fn redundant_span(
        &self,
        addr: u32,
        width: u32,
        write: bool,
        epoch: OpenEpoch,
    ) -> bool {
        granules(addr.into(), width.into())
            .all(|(granule, mask)| self.redundant(granule << 3, selector(mask, write), epoch))
    }

    /// Checks an access to one granule against what is remembered, and remembers it. `clock` is what its thread
    /// knows. If it races, changes nothing and returns false: that is for [`Shadow::update`].
    #[inline]
    pub(in crate::detect) fn update_quietly(
        &mut self,
        granule: u32,
        new: Cell,
        clock: &VectorClock,
    ) -> bool {
        let (high, low) = position(granule);
        if let Some(segment) = &mut self.segments[high] {
            let words = &mut segment[low];
            if narrow(words, new, clock) || self.wide.follow(words, new, clock) {
                return true;
            }
        }
        self.update_beyond(granule, new, clock, None)
    }

    /// Checks an access to a range of bytes against what is remembered, and remembers it. `clock` is what its
    /// thread knows. `report` is called with each granule where it races and the older accesses
    /// there, with the bytes that both concern.
    pub(in crate::detect) fn update(
        &mut self,
        (addr, len): (u64, u64),
        new: Cell,
        clock: &VectorClock,
        mut report: impl FnMut(u32, &[Cell]),
    ) {
        let mut races = Vec::new();
        for (high, at, until) in segments(addr, len) {
            if until - at == SEGMENT_BYTES && self.segments[high].is_none() {
                let words = self.uniform.entry(high).or_default();
                if narrow(words, new.with_mask(0xff), clock) {
                    continue;
                }
            }
            for (granule, mask) in granules(at, until - at) {
                let new = new.with_mask(mask);
                if !self.update_quietly(granule, new, clock) {
                    self.update_beyond(granule, new, clock, Some(&mut races));
                    report(granule, &races);
                    races.clear();
                }
            }
        }
    }

    /// Forgets all accesses to these bytes.
    pub(in crate::detect) fn clear(&mut self, addr: u32, len: u32) {
        for (high, at, until) in segments(addr.into(), len.into()) {
            let whole = until - at == SEGMENT_BYTES;
            if whole {
                self.uniform.remove(&high);
            }
            if whole && self.wide_in[high] == 0 {
                self.allocated -= usize::from(self.segments[high].is_some());
                self.segments[high] = None;
            } else if self.segments[high].is_some() || self.uniform.contains_key(&high) {
                for (granule, mask) in granules(at, until - at) {
                    self.clear_bytes(granule, mask);
                }
            }
        }
    }

    /// How many accesses were forgotten for want of room.
    pub(in crate::detect) fn forgotten(&self) -> u64 {
        self.wide.forgotten()
    }

    /// What is in use.
    pub(in crate::detect) fn size(&self) -> ShadowSize {
        ShadowSize {
            segments: self.allocated,
            wide: self.wide.count(),
            wide_bytes: self.wide.bytes(),
        }
    }

    /// The segment of that index, allocated if it is not yet.
    #[inline]
    fn segment(&mut self, high: usize) -> &mut [Granule; SEGMENT] {
        self.segments[high].get_or_insert_with(|| {
            self.allocated += 1;
            let words = self.uniform.remove(&high).unwrap_or_default();
            boxed(vec![words; SEGMENT])
        })
    }

    /// The uncommon cases. False if it races and there is no place to say so; then nothing changed.
    #[inline(never)]
    fn update_beyond(
        &mut self,
        granule: u32,
        new: Cell,
        clock: &VectorClock,
        races: Option<&mut Vec<Cell>>,
    ) -> bool {
        let (high, low) = position(granule);
        let words = &mut self.segment(high)[low];
        if narrow(words, new, clock) {
            return true;
        }
        let before = *words;
        let Some(words) = self.wide.update(before, new, clock, races) else {
            return false;
        };
        self.put(granule, words);
        true
    }

    fn clear_bytes(&mut self, granule: u32, mask: u8) {
        let (high, low) = position(granule);
        let words = self.segment(high)[low];
        if words == [0; 2] {
            return;
        }
        let left = self.wide.clear(words, mask);
        self.put(granule, left);
    }

    /// Gives a granule of an allocated segment its words, narrow or wide.
    fn put(&mut self, granule: u32, words: Granule) {
        let (high, low) = position(granule);
        let place = &mut self.segment(high)[low];
        let before = std::mem::replace(place, words);
        let wide = &mut self.wide_in[high];
        *wide = *wide + u16::from(wide_index(words[0]).is_some())
            - u16::from(wide_index(before[0]).is_some());
    }
}

/// Splits `len` bytes from `addr` into segments: index, first byte, and the one after the last. Bytes beyond 4 GiB
/// are left out.
fn segments(addr: u64, len: u64) -> impl Iterator<Item = (usize, u64, u64)> {
    let end = addr.saturating_add(len).min(1 << 32);
    let mut at = addr;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let first = at;
        at = (at / SEGMENT_BYTES * SEGMENT_BYTES + SEGMENT_BYTES).min(end);
        Some(((first / SEGMENT_BYTES) as usize, first, at))
    })
}

/// A boxed array, allocated in place: zeroed memory is not touched.
fn boxed<T, const N: usize>(items: Vec<T>) -> Box<[T; N]> {
    match items.into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("made with {N} items"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::clocks::clock::Slot;

    fn write(slot: u16, clock: u32) -> Cell {
        Cell::new(Slot(slot), clock, true, false, None)
    }

    fn update(shadow: &mut Shadow, addr: u64, len: u64, new: Cell) -> Vec<(u32, Vec<Cell>)> {
        let mut clock = VectorClock::default();
        clock.set(new.slot(), new.clock());
        let mut races = Vec::new();
        shadow.update((addr, len), new, &clock, |granule, older| {
            races.push((granule, older.to_vec()))
        });
        races
    }

    #[test]
    fn whole_segments_take_no_memory() {
        let mut shadow = Shadow::new(1 << 20);
        assert_eq!(update(&mut shadow, 0xfffc, 0x10_0008, write(0, 1)), []);
        assert_eq!(shadow.size().segments, 2);
        // Again, in a later epoch.
        assert_eq!(update(&mut shadow, 0x1_0000, 0x2_0000, write(0, 2)), []);
        assert_eq!(shadow.size().segments, 2);
        // One access in the middle: that segment has to be there, with what it was filled with.
        let races = update(&mut shadow, 0x1_8002, 1, write(1, 1));
        assert_eq!(races, [(0x3000, vec![write(0, 2).with_mask(0x04)])]);
        assert_eq!(shadow.size().segments, 3);
        assert_eq!(update(&mut shadow, 0x3_fff8, 16, write(1, 1)).len(), 2);
        assert_eq!(shadow.size().segments, 5);
    }

    #[test]
    fn a_race_over_a_whole_segment_is_found_in_every_granule() {
        let mut shadow = Shadow::new(1 << 24);
        update(&mut shadow, 0, 0x1_0000, write(0, 1));
        assert_eq!(update(&mut shadow, 0, 0x1_0000, write(1, 1)).len(), SEGMENT);
        assert_eq!(shadow.size().wide, SEGMENT);
        shadow.clear(0, 0x1_0000);
        assert_eq!((shadow.size().wide, shadow.size().wide_bytes), (0, 0));
        assert_eq!(update(&mut shadow, 0, 0x1_0000, write(2, 1)), []);
    }

    #[test]
    fn clearing_gives_segments_back() {
        let mut shadow = Shadow::new(1 << 20);
        update(&mut shadow, 0, 0x4_0000, write(0, 1));
        update(&mut shadow, 0x1_0100, 1, write(0, 1));
        shadow.clear(0x1_0000, 0x1_0000);
        assert_eq!(shadow.size(), ShadowSize::default());
        shadow.clear(0x2_8000, 0x1_8000);
        assert_eq!(update(&mut shadow, 0x2_8000, 0x1_8000, write(1, 1)), []);
        assert_eq!(update(&mut shadow, 0x2_7fff, 1, write(1, 1)).len(), 1);
        assert_eq!(update(&mut shadow, 0x1_0000, 0x1_0000, write(1, 1)), []);
    }

    #[test]
    fn memory_ends_at_4_gib() {
        let mut shadow = Shadow::new(1 << 20);
        assert_eq!(update(&mut shadow, 0xffff_fff0, 32, write(0, 1)), []);
        assert_eq!(update(&mut shadow, 0xffff_ffff, 1, write(1, 1)).len(), 1);
        assert_eq!(update(&mut shadow, 1 << 32, 8, write(1, 1)), []);
        assert_eq!(update(&mut shadow, 0, 8, write(1, 1)), []);
    }
}
