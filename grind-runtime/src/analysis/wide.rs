//! Granules of which more than one write and one read must be remembered.
//!
//! Bytes last accessed in different epochs, several readers, unordered atomic writers, accesses that race. Each
//! such granule has a list of cells: of one thread and kind, at most one cell per byte; writes and reads of
//! different threads may overlap. The lists live in a slab and are reused.
//!
//! **Cost.** 56 bytes per wide granule, and 8 per cell beyond the sixth; an access that is not a repetition looks at
//! every cell. The sum is bounded ([`Limits::shared_bytes`](super::Limits::shared_bytes)); at the
//! bound, a granule that needs more forgets all but its newest access, and it is counted.

use super::cell::Cell;
use super::clock::VectorClock;
use smallvec::SmallVec;

/// Write cell and read cell, or a wide reference and the last cell recorded. 0 is no cell.
pub(super) type Granule = [u64; 2];

/// Cells that need no memory of their own.
const INLINE: usize = 6;

type Cells = SmallVec<[Cell; INLINE]>;

/// The lists of all wide granules.
#[derive(Debug)]
pub(super) struct WideSlab {
    lists: Vec<Cells>,
    free: Vec<u32>,
    bytes: usize,
    max_bytes: usize,
    forgotten: u64,
}

/// The list that the first word of a granule refers to, if it does.
#[inline]
pub(super) fn wide_index(word: u64) -> Option<usize> {
    (word != 0 && Cell(word).clock() == 0).then(|| word as usize - 1)
}

/// The words of a narrow granule with these cells, at most one of each kind.
pub(super) fn words_of(cells: &[Cell]) -> Granule {
    let mut words = [0; 2];
    for cell in cells {
        words[usize::from(!cell.write())] = cell.0;
    }
    words
}

fn bytes_of(cells: usize) -> usize {
    size_of::<Cells>() + cells.saturating_sub(INLINE) * size_of::<Cell>()
}

impl WideSlab {
    /// No wide granule; at most `max_bytes` for them.
    pub(super) fn new(max_bytes: usize) -> Self {
        WideSlab {
            lists: Vec::new(),
            free: Vec::new(),
            bytes: 0,
            max_bytes,
            forgotten: 0,
        }
    }

    /// Accesses that were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Wide granules.
    pub(super) fn count(&self) -> usize {
        self.lists.len() - self.free.len()
    }

    /// Bytes in use for them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes a narrow granule wide; returns its index.
    pub(super) fn add(&mut self, words: Granule) -> usize {
        let index = self.free.pop().unwrap_or_else(|| {
            self.lists.push(Cells::new());
            (self.lists.len() - 1) as u32
        }) as usize;
        let cells = &mut self.lists[index];
        cells.extend(words.into_iter().filter(|&word| word != 0).map(Cell));
        self.bytes += bytes_of(cells.len());
        index
    }

    /// Remembers an access in the most common ways, in place of one older access, beside all, or as a repetition:
    /// true if that was it, false if it is for [`WideSlab::update`], none if it races. Changes nothing unless
    /// it returns true; then the granule's words remain, but for the last access.
    pub(super) fn update_quietly(
        &mut self,
        index: usize,
        new: Cell,
        clock: &VectorClock,
    ) -> Option<bool> {
        let cells = &mut self.lists[index];
        // Few enough to become narrow is not for here.
        let (mut redundant, mut simple) = (0, cells.len() > 2);
        let mut replaced = None;
        for (at, &old) in cells.iter().enumerate() {
            let shared = old.mask() & new.mask();
            if shared == 0 {
                simple &= !old.same_but_bytes(new);
            } else if old.before(clock) {
                if old.same_epoch(new) && old.covers_kind(new) {
                    redundant |= shared;
                } else if new.covers_kind(old) {
                    simple &= shared == old.mask() && replaced.is_none();
                    replaced = Some(at);
                }
            } else if old.conflicts(new) {
                return None;
            }
        }
        if redundant == new.mask() {
            return Some(true);
        }
        if !simple || redundant != 0 {
            return Some(false);
        }
        match replaced {
            Some(at) => cells[at] = new,
            None => {
                let more = bytes_of(cells.len() + 1) - bytes_of(cells.len());
                if self.bytes + more > self.max_bytes {
                    return Some(false);
                }
                self.bytes += more;
                cells.push(new);
            }
        }
        Some(true)
    }

    /// Remembers an access; returns the granule's new words, which may be narrow. Accesses that it races with are
    /// added to `races`, with the bytes that both concern.
    pub(super) fn update(
        &mut self,
        index: usize,
        new: Cell,
        clock: &VectorClock,
        races: &mut Vec<Cell>,
    ) -> Granule {
        let cells = &mut self.lists[index];
        let before = cells.len();
        let raced = races.len();
        let (mut redundant, mut merged) = (0, false);
        let mut writes = 0;
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
            writes += usize::from(old.write());
            cells[keep] = old;
            keep += 1;
        }
        cells.truncate(keep);
        if !merged && redundant != new.mask() {
            cells.push(new);
            writes += usize::from(new.write());
        }
        let len = cells.len();
        if races.len() == raced && writes <= 1 && len - writes <= 1 && peaceful(cells, clock) {
            let words = words_of(cells);
            self.release(index, before);
            return words;
        }
        self.bytes = self.bytes + bytes_of(len) - bytes_of(before);
        if self.bytes > self.max_bytes && len > 1 {
            self.forgotten += len as u64 - 1;
            self.release(index, len);
            return words_of(&[new]);
        }
        [index as u64 + 1, new.0]
    }

    /// Forgets all accesses to these bytes; returns the granule's new words.
    pub(super) fn clear(&mut self, index: usize, mask: u8) -> Granule {
        let cells = &mut self.lists[index];
        let before = cells.len();
        cells.retain(|cell| {
            *cell = Cell(cell.without(mask));
            cell.0 != 0
        });
        if cells.len() <= 1 {
            let words = words_of(cells);
            self.release(index, before);
            return words;
        }
        self.bytes = self.bytes + bytes_of(cells.len()) - bytes_of(before);
        [index as u64 + 1, 0]
    }

    /// Gives back a list that was accounted for with this many cells.
    fn release(&mut self, index: usize, cells: usize) {
        self.bytes -= bytes_of(cells);
        self.lists[index] = Cells::new();
        self.free.push(index as u32);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::clock::Slot;

    fn cell(slot: u16, clock: u32, write: bool, mask: u8) -> Cell {
        Cell::new(Slot(slot), clock, write, false, None).with_mask(mask)
    }

    fn knows(entries: &[u32]) -> VectorClock {
        let mut clock = VectorClock::default();
        for (slot, &entry) in entries.iter().enumerate() {
            clock.set(Slot(slot as u16), entry);
        }
        clock
    }

    #[test]
    fn a_granule_becomes_narrow_when_one_of_each_kind_is_left() {
        let mut slab = WideSlab::new(1000);
        let (mut races, read) = (Vec::new(), |slot| cell(slot, 1, false, 0xff));
        let index = slab.add([0, read(0).0]);
        let words = slab.update(index, read(1), &knows(&[0, 1]), &mut races);
        assert_eq!(words, [1, read(1).0]);
        assert_eq!((slab.count(), slab.bytes()), (1, bytes_of(2)));
        // A write that knows both.
        let write = cell(2, 1, true, 0xff);
        let words = slab.update(index, write, &knows(&[1, 1, 1]), &mut races);
        assert_eq!(words, [write.0, 0]);
        assert_eq!((slab.count(), slab.bytes(), races.len()), (0, 0, 0));
    }

    #[test]
    fn cells_that_race_stay_wide() {
        let mut slab = WideSlab::new(1000);
        let mut races = Vec::new();
        let write = cell(0, 1, true, 0x0f);
        let index = slab.add([write.0, 0]);
        let read = cell(1, 1, false, 0x03);
        assert_eq!(slab.update_quietly(index, read, &knows(&[0, 1])), None);
        let words = slab.update(index, read, &knows(&[0, 1]), &mut races);
        assert_eq!(words, [1, read.0]);
        assert_eq!(races, [write.with_mask(0x03)]);
        // Other bytes do not race, but the pair still does.
        let more = cell(1, 1, false, 0xf0);
        assert_eq!(
            slab.update_quietly(index, more, &knows(&[0, 1])),
            Some(false)
        );
        assert_eq!(
            slab.update(index, more, &knows(&[0, 1]), &mut races),
            [1, more.0]
        );
        // Once the reader knows of the write, nobody can repeat that unseen.
        let again = cell(1, 2, false, 0xff);
        assert_eq!(
            slab.update(index, again, &knows(&[1, 2]), &mut races),
            [write.0, again.0]
        );
        assert_eq!(races.len(), 1);
    }

    #[test]
    fn more_than_six_cells_are_accounted_for() {
        let mut slab = WideSlab::new(1000);
        let mut races = Vec::new();
        let index = slab.add([0, cell(0, 1, false, 1).0]);
        for slot in 1..8 {
            slab.update(index, cell(slot, 1, false, 1), &knows(&[]), &mut races);
        }
        assert_eq!(slab.bytes(), bytes_of(8));
        assert_eq!(slab.clear(index, 2), [1, 0]);
        assert_eq!(slab.clear(index, 1), [0, 0]);
        assert_eq!((slab.count(), slab.bytes()), (0, 0));
    }

    #[test]
    fn at_the_bound_only_the_newest_is_remembered() {
        let mut slab = WideSlab::new(bytes_of(2));
        let mut races = Vec::new();
        let (a, b) = (cell(0, 1, false, 1), cell(1, 1, false, 1));
        let first = slab.add([0, a.0]);
        assert_eq!(slab.update(first, b, &knows(&[]), &mut races), [1, b.0]);
        let second = slab.add([0, a.0]);
        assert_eq!(slab.update(second, b, &knows(&[]), &mut races), [0, b.0]);
        assert_eq!(
            (slab.count(), slab.bytes(), slab.forgotten()),
            (1, bytes_of(2), 1)
        );
    }
}
