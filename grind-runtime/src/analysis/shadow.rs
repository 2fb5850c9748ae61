//! Shadow memory: which accesses a later one could still race with, for every byte of guest memory.
//!
//! An aligned granule of 8 bytes has 16 bytes of shadow: one write [`Cell`] and one read [`Cell`]. When
//! that is not enough (bytes last accessed in different epochs, several readers, accesses that race), the
//! granule is *wide*: its first word refers to a list of cells, and its second repeats the access that
//! was last recorded, so that repeating that one is as cheap as in a narrow granule. It becomes narrow
//! again when an access leaves at most one cell of each kind.
//!
//! **What is kept.** An access is dropped, byte by byte, only when a newer one takes its place that it happens
//! before and that conflicts with everything it conflicts with (a plain write takes the place of
//! everything, a plain read of reads, an atomic write of atomics, an atomic read of atomic reads). So
//! whatever races with a dropped access races with the one in its place: a later access races with
//! something in shadow memory if and only if it races with anything that ever happened. That holds after a
//! first race as well, since accesses that race are all kept.
//!
//! **Cost.** 2 bytes of shadow per byte of guest memory, in segments of 64 KiB of guest memory, which are
//! allocated on first touch and committed by the operating system page by page. A wide granule takes 64
//! bytes more, and 8 per cell beyond the sixth. Cells in wide granules are bounded
//! ([`Limits::shared_accesses`](super::Limits::shared_accesses)); at the bound, a granule that needs
//! more forgets all but its newest access, and [`Shadow::forgotten`] counts.

use super::cell::{Cell, OpenEpoch, selector};
use super::clock::VectorClock;
use super::order::granules;
use smallvec::SmallVec;

/// Granules of a segment: 64 KiB of guest memory.
const SEGMENT: usize = 1 << 13;
/// Segments of a 4 GiB memory.
const SEGMENTS: usize = 1 << 16;

/// Write cell and read cell, or a wide reference and the last cell recorded. 0 is no cell.
type Granule = [u64; 2];
type Segment = Box<[Granule; SEGMENT]>;
type Wide = SmallVec<[Cell; 6]>;

/// See the module.
#[derive(Debug)]
pub(super) struct Shadow {
    segments: Box<[Option<Segment>; SEGMENTS]>,
    /// Wide granules per segment.
    wide_in: Box<[u16; SEGMENTS]>,
    wide: Vec<Wide>,
    free: Vec<u32>,
    /// Cells in all of `wide`.
    wide_cells: usize,
    max_wide_cells: usize,
    forgotten: u64,
    touched: usize,
}

/// How much shadow memory is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ShadowSize {
    /// Segments allocated, 128 KiB each.
    pub(super) segments: usize,
    /// Wide granules.
    pub(super) wide: usize,
    /// Cells in these.
    pub(super) cells: usize,
}

fn wide_index(word: u64) -> Option<usize> {
    (word != 0 && Cell(word).clock() == 0).then(|| word as usize - 1)
}

fn position(granule: u32) -> (usize, usize) {
    (granule as usize / SEGMENT, granule as usize % SEGMENT)
}

impl Shadow {
    /// Nothing accessed; at most `max_wide_cells` cells in wide granules.
    pub(super) fn new(max_wide_cells: usize) -> Self {
        Shadow {
            segments: boxed(vec![None; SEGMENTS]),
            wide_in: boxed(vec![0; SEGMENTS]),
            wide: Vec::new(),
            free: Vec::new(),
            wide_cells: 0,
            max_wide_cells,
            forgotten: 0,
            touched: 0,
        }
    }

    /// Whether a plain access that starts at `addr` and lies in one granule is redundant.
    #[inline(always)]
    pub(super) fn redundant(&self, addr: u32, selector: u64, epoch: OpenEpoch) -> bool {
        match &self.segments[(addr >> 16) as usize] {
            Some(segment) => {
                let [first, second] = segment[addr as usize >> 3 & (SEGMENT - 1)];
                epoch.hit(first, selector) | epoch.hit(second, selector)
            }
            None => false,
        }
    }

    /// Whether a plain access of any width is redundant.
    #[inline(never)]
    pub(super) fn redundant_span(
        &self,
        addr: u32,
        width: u32,
        write: bool,
        epoch: OpenEpoch,
    ) -> bool {
        granules(addr.into(), width.into())
            .all(|(granule, mask)| self.redundant(granule << 3, selector(mask, write), epoch))
    }

    /// [`Shadow::update`] for the common cases: a touched segment, a narrow granule that remains so, no race.
    /// Otherwise changes nothing and returns false.
    #[inline]
    pub(super) fn update_narrow(&mut self, granule: u32, new: Cell, clock: &VectorClock) -> bool {
        let (high, low) = position(granule);
        let Some(segment) = &mut self.segments[high] else {
            return false;
        };
        let words = &mut segment[low];
        let target = usize::from(!new.write());
        if *words == [0; 2] {
            words[target] = new.0;
            return true;
        }
        if wide_index(words[0]).is_some() {
            return false;
        }
        let mut kept = *words;
        let mut redundant = 0;
        for word in &mut kept {
            let old = Cell(*word);
            let shared = old.mask() & new.mask();
            if shared == 0 {
                continue;
            }
            if old.before(clock) {
                if old.same_epoch(new) && old.covers_kind(new) {
                    redundant |= shared;
                } else if new.covers_kind(old) {
                    *word = old.without(shared);
                }
            } else if old.conflicts(new) {
                return false;
            }
        }
        let beside = Cell(kept[target]);
        if redundant == new.mask() {
            return true;
        }
        if beside.0 == 0 {
            kept[target] = new.0;
        } else if beside.same_but_bytes(new) {
            kept[target] = new.with_mask(new.mask() | beside.mask()).0;
        } else {
            return false;
        }
        *words = kept;
        true
    }

    /// Checks an access against what is remembered of its granule, and remembers it. `clock` is what its
    /// thread knows. Older accesses that it races with are added to `races`, with the bytes that both
    /// concern.
    pub(super) fn update(
        &mut self,
        granule: u32,
        new: Cell,
        clock: &VectorClock,
        races: &mut Vec<Cell>,
    ) {
        if self.update_narrow(granule, new, clock) {
            return;
        }
        let (high, low) = position(granule);
        let touched = &mut self.touched;
        let segment = self.segments[high].get_or_insert_with(|| {
            *touched += 1;
            boxed(vec![[0; 2]; SEGMENT])
        });
        let words = segment[low];
        if words == [0; 2] {
            segment[low][usize::from(!new.write())] = new.0;
            return;
        }
        let index = wide_index(words[0]).unwrap_or_else(|| self.widen(granule, words));
        self.update_wide(granule, index, new, clock, races);
    }

    /// Forgets all accesses to these bytes.
    pub(super) fn clear(&mut self, addr: u32, len: u32) {
        let end = (u64::from(addr) + u64::from(len)).min(1 << 32);
        let mut at = u64::from(addr);
        while at < end {
            let next = ((at >> 16) + 1) << 16;
            let until = next.min(end);
            let high = (at >> 16) as usize;
            if self.segments[high].is_some() {
                if until - at == 1 << 16 && self.wide_in[high] == 0 {
                    self.segments[high] = None;
                    self.touched -= 1;
                } else {
                    for (granule, mask) in granules(at, until - at) {
                        self.clear_bytes(granule, mask);
                    }
                }
            }
            at = until;
        }
    }

    /// How many accesses were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// What is in use.
    pub(super) fn size(&self) -> ShadowSize {
        ShadowSize {
            segments: self.touched,
            wide: self.wide.len() - self.free.len(),
            cells: self.wide_cells,
        }
    }

    fn update_wide(
        &mut self,
        granule: u32,
        index: usize,
        new: Cell,
        clock: &VectorClock,
        races: &mut Vec<Cell>,
    ) {
        let cells = &mut self.wide[index];
        let before = cells.len();
        let raced = races.len();
        let (mut redundant, mut merged) = (0, false);
        let (mut writes, mut reads) = (0, 0);
        let mut keep = 0;
        for at in 0..before {
            let mut old = cells[at];
            let shared = old.mask() & new.mask();
            if old.same_but_bytes(new) {
                redundant |= shared;
                old = new.with_mask(old.mask() | new.mask());
                merged = true;
            } else if shared != 0 {
                if old.before(clock) {
                    if old.same_epoch(new) && old.covers_kind(new) {
                        redundant |= shared;
                    } else if new.covers_kind(old) {
                        old = Cell(old.without(shared));
                        if old.0 == 0 {
                            continue;
                        }
                    }
                } else if old.conflicts(new) {
                    races.push(old.with_mask(shared));
                }
            }
            if old.write() {
                writes += 1;
            } else {
                reads += 1;
            }
            cells[keep] = old;
            keep += 1;
        }
        cells.truncate(keep);
        if !merged && redundant != new.mask() {
            cells.push(new);
            if new.write() {
                writes += 1;
            } else {
                reads += 1;
            }
        }
        if races.len() == raced && writes <= 1 && reads <= 1 && peaceful(cells, clock) {
            let mut words = [0; 2];
            for cell in cells.iter() {
                words[usize::from(!cell.write())] = cell.0;
            }
            self.wide_cells -= before;
            self.release(granule, index);
            self.set(granule, words);
            return;
        }
        self.wide_cells = self.wide_cells - before + cells.len();
        if self.wide_cells > self.max_wide_cells && cells.len() > before {
            self.forget_all_but(granule, index, new);
            return;
        }
        self.set(granule, [index as u64 + 1, new.0]);
    }

    /// Makes a granule with these words wide; the caller sets its words.
    fn widen(&mut self, granule: u32, words: Granule) -> usize {
        let index = self.free.pop().unwrap_or_else(|| {
            self.wide.push(Wide::new());
            (self.wide.len() - 1) as u32
        }) as usize;
        let cells = &mut self.wide[index];
        cells.extend(words.into_iter().filter(|&word| word != 0).map(Cell));
        self.wide_cells += cells.len();
        self.wide_in[position(granule).0] += 1;
        index
    }

    fn set(&mut self, granule: u32, words: Granule) {
        let (high, low) = position(granule);
        if let Some(segment) = &mut self.segments[high] {
            segment[low] = words;
        }
    }

    fn forget_all_but(&mut self, granule: u32, index: usize, new: Cell) {
        let cells = self.wide[index].len();
        self.forgotten += cells as u64 - 1;
        self.wide_cells -= cells;
        self.release(granule, index);
        self.set(granule, if new.write() { [new.0, 0] } else { [0, new.0] });
    }

    /// Gives a wide entry back; the granule's words and the count of cells are the caller's to set.
    fn release(&mut self, granule: u32, index: usize) {
        self.wide[index] = Wide::new();
        self.free.push(index as u32);
        self.wide_in[position(granule).0] -= 1;
    }

    fn clear_bytes(&mut self, granule: u32, mask: u8) {
        let (high, low) = position(granule);
        let Some(segment) = &self.segments[high] else {
            return;
        };
        let words = segment[low];
        if words == [0; 2] {
            return;
        }
        let left = if let Some(index) = wide_index(words[0]) {
            let cells = &mut self.wide[index];
            let before = cells.len();
            cells.retain(|cell| {
                *cell = Cell(cell.without(mask));
                cell.0 != 0
            });
            self.wide_cells = self.wide_cells - before + cells.len();
            match cells[..] {
                [] => {
                    self.release(granule, index);
                    [0; 2]
                }
                [cell] => {
                    self.wide_cells -= 1;
                    self.release(granule, index);
                    if cell.write() {
                        [cell.0, 0]
                    } else {
                        [0, cell.0]
                    }
                }
                _ => [words[0], 0],
            }
        } else {
            words.map(|word| Cell(word).without(mask))
        };
        self.set(granule, left);
    }
}

/// Whether none of two cells or fewer, one of them of the thread that knows `clock`, still races with the
/// other. Only then may they be narrow, where a repetition is not checked.
fn peaceful(cells: &[Cell], clock: &VectorClock) -> bool {
    match *cells {
        [a, b] => a.mask() & b.mask() == 0 || !a.conflicts(b) || a.before(clock) && b.before(clock),
        _ => true,
    }
}

/// A boxed array, allocated in place: zeroed memory is not touched.
fn boxed<T, const N: usize>(items: Vec<T>) -> Box<[T; N]> {
    match items.into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("made with {N} items"),
    }
}
