//! Granules of which more than one write and one read must be remembered.
//!
//! Bytes last accessed in different epochs, several readers, unordered atomic writers, accesses that race. Each
//! such granule has a list of cells: of one thread and kind, at most one cell per byte; writes and reads of
//! different threads may overlap.
//!
//! **Lists are shared.** Millions of granules that the same threads access in the same epochs have the same cells.
//! So a list with cells of several threads is *interned*: sorted, never changed, kept once, and counted
//! by the granules that have it. An access takes a granule from one list to another, and which one depends
//! only on the list, the access, and which cells its thread knows of; a small memo of such
//! [steps](Step) spares a loop over an array the making of lists. A list with the cells of one thread (stacks,
//! where neighbouring words are of different epochs) rarely has an equal and changes with every epoch: it is
//! its granule's own, and changes in place.
//!
//! **Cost.** 56 bytes per distinct or own list, and 8 per cell beyond the fourth; an access that is not a repetition
//! looks at every cell. The sum is bounded ([`Limits::shared_bytes`](crate::detect::Limits::shared_bytes)); at the
//! bound, a granule that needs another list forgets all but its newest access, and it is counted. The memo takes
//! 48 KiB, and up to 1024 idle lists wait for use beyond the bound.

use crate::detect::clocks::clock::VectorClock;
use crate::detect::races::cell::Cell;
use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;
use smallvec::SmallVec;
use std::hash::BuildHasher;

/// Write cell and read cell, or a wide reference and the last cell recorded. 0 is no cell.
pub(in crate::detect) type Granule = [u64; 2];

/// Cells that need no memory of their own.
const INLINE: usize = 4;

type Cells = SmallVec<[Cell; INLINE]>;

#[derive(Debug)]
struct List {
    /// Sorted, if it is interned.
    cells: Cells,
    /// How many granules have it, or [`OWN`].
    users: u32,
    /// Of the cells, if it is interned.
    hash: u32,
    /// Whether it is among [`WideSlab::idle`].
    idle: bool,
}

/// [`List::users`] of a list that is a granule's own.
const OWN: u32 = u32::MAX;

/// What a list costs: itself, its place in the table (4 bytes and 1, half of them free at worst), more cells.
fn bytes_of(cells: usize) -> usize {
    size_of::<List>() + 8 + cells.saturating_sub(INLINE) * size_of::<Cell>()
}

/// Everything that decides what an access makes of a granule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    /// The words of a narrow granule, or the first of a wide one.
    from: Granule,
    new: Cell,
    /// By cell, whether it happens before the access.
    known: u64,
}

/// Cells of which [`Step::known`] can tell.
const MAX_STEP_CELLS: usize = u64::BITS as usize;

/// Lines of the memo.
const MEMO: usize = 1 << 10;

type Memo = [(Step, Granule); MEMO];

/// A step from nowhere: the granule that nobody accessed is not looked up.
const NO_STEP: (Step, Granule) = {
    let step = Step {
        from: [0; 2],
        new: Cell(0),
        known: 0,
    };
    (step, [0; 2])
};

impl Step {
    /// Its line of the memo.
    fn line(&self) -> usize {
        let mixed = (self.from[0].rotate_left(32) ^ self.from[1].rotate_left(11) ^ self.new.0)
            .wrapping_add(self.known)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (u64::BITS - MEMO.trailing_zeros())) as usize
    }
}

/// The lists of all wide granules.
#[derive(Debug)]
pub(in crate::detect) struct WideSlab {
    lists: Vec<List>,
    free: Vec<u32>,
    /// Interned lists that lost their last user since the memo was last cleared, some of which found another. A loop
    /// takes one granule after another through the same lists, so one that nobody has will be wanted again.
    idle: Vec<u32>,
    interned: HashTable<u32>,
    /// What became of granules lately. No list that it names is freed before it is cleared.
    memo: Box<Memo>,
    granules: usize,
    bytes: usize,
    max_bytes: usize,
    forgotten: u64,
}

/// The list that the first word of a granule refers to, if it does.
#[inline]
pub(in crate::detect) fn wide_index(word: u64) -> Option<usize> {
    (word != 0 && Cell(word).clock() == 0).then(|| word as usize - 1)
}

/// The words of a narrow granule with these cells, at most one of each kind.
fn words_of(cells: &[Cell]) -> Granule {
    let mut words = [0; 2];
    for cell in cells {
        words[usize::from(!cell.write())] = cell.0;
    }
    words
}

fn words_of_list(index: usize, last: u64) -> Granule {
    [index as u64 + 1, last]
}

fn hash_of(cells: &[Cell]) -> u32 {
    (FxBuildHasher.hash_one(cells) >> 32) as u32
}

/// The table wants the high bits to differ as well as the low ones.
fn table_hash(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

impl WideSlab {
    /// No wide granule; at most `max_bytes` for them.
    pub(in crate::detect) fn new(max_bytes: usize) -> Self {
        WideSlab {
            lists: Vec::new(),
            free: Vec::new(),
            idle: Vec::new(),
            interned: HashTable::new(),
            memo: Box::new([NO_STEP; MEMO]),
            granules: 0,
            bytes: 0,
            max_bytes,
            forgotten: 0,
        }
    }

    /// Accesses that were forgotten for want of room.
    pub(in crate::detect) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Wide granules.
    pub(in crate::detect) fn count(&self) -> usize {
        self.granules
    }

    /// Bytes in use for them.
    pub(in crate::detect) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Remembers an access to a granule with these words if that is a remembered step from one interned list to
    /// another: true if so. Otherwise nothing changes.
    #[inline]
    pub(in crate::detect) fn follow(
        &mut self,
        words: &mut Granule,
        new: Cell,
        clock: &VectorClock,
    ) -> bool {
        let Some(index) = wide_index(words[0]) else {
            return false;
        };
        let step = Step {
            from: [words[0], 0],
            new,
            known: known(&self.lists[index].cells, clock),
        };
        let (made, to) = self.memo[step.line()];
        let Some(next) = wide_index(to[0]) else {
            return false;
        };
        if made != step || !self.take(next) {
            return false;
        }
        self.leave(index);
        *words = to;
        true
    }

    /// Remembers an access to a granule with these words, wide or narrow: the words it then has, wide or narrow.
    /// `clock` is what the accessing thread knows, this access included. Accesses that it races with are added
    /// to `races`, with the bytes that both concern; if that is none, nothing changes and the answer is none.
    pub(in crate::detect) fn update(
        &mut self,
        words: Granule,
        new: Cell,
        clock: &VectorClock,
        races: Option<&mut Vec<Cell>>,
    ) -> Option<Granule> {
        let index = wide_index(words[0]);
        let pair = words.map(Cell);
        let cells = self.cells(index, &pair);
        let racing = cells.iter().any(|old| old.races(new, clock));
        let mut none = Vec::new();
        let races = match races {
            None if racing => return None,
            None => &mut none,
            Some(races) => races,
        };
        let own = index.is_some_and(|index| self.lists[index].users == OWN);
        let step = (!racing && !own && cells.len() <= MAX_STEP_CELLS).then(|| Step {
            from: [words[0], if index.is_some() { 0 } else { words[1] }],
            new,
            known: known(cells, clock),
        });
        if let Some(step) = step {
            let (made, to) = self.memo[step.line()];
            let list = wide_index(to[0]);
            if made == step && list.is_none_or(|list| self.take(list)) {
                self.granules += usize::from(list.is_some());
                self.release(words);
                return Some(to);
            }
        }
        let next = after(self.cells(index, &pair), new, clock, races);
        let writes = next.iter().filter(|cell| cell.write()).count();
        if !racing && writes <= 1 && next.len() - writes <= 1 && peaceful(&next, clock) {
            let to = words_of(&next);
            self.release(words);
            self.memoise(step, to);
            return Some(to);
        }
        let len = next.len();
        let to = self.keep(words, next, new.0);
        if self.bytes > self.max_bytes {
            self.forgotten += len as u64 - 1;
            self.release(to);
            return Some(words_of(&[new]));
        }
        self.memoise(step, to);
        Some(to)
    }

    /// Forgets all accesses to these bytes; returns the granule's new words.
    pub(in crate::detect) fn clear(&mut self, words: Granule, mask: u8) -> Granule {
        let Some(index) = wide_index(words[0]) else {
            return words.map(|word| Cell(word).without(mask));
        };
        let cells = self.lists[index].cells.iter();
        let left: Cells = (cells.map(|cell| Cell(cell.without(mask))))
            .filter(|cell| cell.0 != 0)
            .collect();
        if left.len() <= 1 {
            self.release(words);
            return words_of(&left);
        }
        self.keep(words, left, 0)
    }

    /// The cells of a list, or those of a narrow granule.
    fn cells<'a>(&'a self, index: Option<usize>, narrow: &'a [Cell; 2]) -> &'a [Cell] {
        index.map_or(narrow, |index| &self.lists[index].cells)
    }

    /// Gives a granule with these words this list.
    fn keep(&mut self, words: Granule, cells: Cells, last: u64) -> Granule {
        if let [first, rest @ ..] = &cells[..]
            && rest.iter().any(|cell| cell.slot() != first.slot())
        {
            let index = self.intern(cells);
            self.release(words);
            return words_of_list(index, last);
        }
        match wide_index(words[0]) {
            Some(index) if self.lists[index].users == OWN => {
                let list = &mut self.lists[index].cells;
                self.bytes = self.bytes + bytes_of(cells.len()) - bytes_of(list.len());
                *list = cells;
                words_of_list(index, last)
            }
            _ => {
                self.release(words);
                self.granules += 1;
                words_of_list(self.add(cells, OWN, 0), last)
            }
        }
    }

    /// The list with these cells, for one more granule.
    fn intern(&mut self, mut cells: Cells) -> usize {
        cells.sort_unstable_by_key(|cell| cell.0);
        let hash = hash_of(&cells);
        let lists = &mut self.lists;
        let found = (self.interned).find(table_hash(hash), |&index| {
            lists[index as usize].cells == cells
        });
        self.granules += 1;
        if let Some(&index) = found {
            let list = &mut lists[index as usize];
            list.users += 1;
            if list.users == 1 {
                self.bytes += bytes_of(list.cells.len());
            }
            return index as usize;
        }
        let index = self.add(cells, 1, hash);
        let lists = &self.lists;
        self.interned
            .insert_unique(table_hash(hash), index as u32, |&index| {
                table_hash(lists[index as usize].hash)
            });
        index
    }

    fn add(&mut self, cells: Cells, users: u32, hash: u32) -> usize {
        self.bytes += bytes_of(cells.len());
        let list = List {
            cells,
            users,
            hash,
            idle: false,
        };
        match self.free.pop() {
            Some(index) => {
                self.lists[index as usize] = list;
                index as usize
            }
            None => {
                self.lists.push(list);
                self.lists.len() - 1
            }
        }
    }

    /// One more granule has an interned list. False if it is idle, and there is no room for another in use.
    #[inline]
    fn take(&mut self, index: usize) -> bool {
        let list = &mut self.lists[index];
        if list.users == 0 {
            let bytes = self.bytes + bytes_of(list.cells.len());
            if bytes > self.max_bytes {
                return false;
            }
            self.bytes = bytes;
        }
        list.users += 1;
        true
    }

    /// One granule less has an interned list.
    #[inline]
    fn leave(&mut self, index: usize) {
        let list = &mut self.lists[index];
        list.users -= 1;
        if list.users > 0 {
            return;
        }
        self.bytes -= bytes_of(list.cells.len());
        if !list.idle {
            list.idle = true;
            self.idle.push(index as u32);
            if self.idle.len() == MEMO {
                self.sweep();
            }
        }
    }

    /// A granule no longer has these words.
    fn release(&mut self, words: Granule) {
        let Some(index) = wide_index(words[0]) else {
            return;
        };
        self.granules -= 1;
        if self.lists[index].users == OWN {
            let cells = std::mem::take(&mut self.lists[index].cells);
            self.bytes -= bytes_of(cells.len());
            self.free.push(index as u32);
        } else {
            self.leave(index);
        }
    }

    /// Clears the memo and frees the lists that only it has.
    #[inline(never)]
    fn sweep(&mut self) {
        self.memo.fill(NO_STEP);
        for index in self.idle.drain(..) {
            let list = &mut self.lists[index as usize];
            list.idle = false;
            if list.users > 0 {
                continue;
            }
            list.cells = Cells::new();
            let entry = (self.interned).find_entry(table_hash(list.hash), |&at| at == index);
            if let Ok(entry) = entry {
                entry.remove();
            }
            self.free.push(index);
        }
    }

    /// Remembers what became of a granule, unless that is a list of its own.
    fn memoise(&mut self, step: Option<Step>, to: Granule) {
        let shared = wide_index(to[0]).is_none_or(|index| self.lists[index].users != OWN);
        if let Some(step) = step
            && shared
        {
            self.memo[step.line()] = (step, to);
        }
    }
}

/// Which cells happen before what a thread does that knows `clock`.
#[inline]
fn known(cells: &[Cell], clock: &VectorClock) -> u64 {
    (cells.iter().enumerate()).fold(0, |known, (at, old)| {
        known | u64::from(old.before(clock)).wrapping_shl(at as u32)
    })
}

/// The cells of a granule after an access.
fn after(cells: &[Cell], new: Cell, clock: &VectorClock, races: &mut Vec<Cell>) -> Cells {
    let mut next = Cells::new();
    let (mut redundant, mut merged) = (0, false);
    for &old in cells {
        let shared = old.mask() & new.mask();
        let mut old = old;
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
                }
            } else if old.conflicts(new) {
                races.push(old.with_mask(shared));
            }
        }
        if old.0 != 0 {
            next.push(old);
        }
    }
    if !merged && redundant != new.mask() {
        next.push(new);
    }
    next
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
    use crate::detect::clocks::clock::Slot;

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

    fn race_free(slab: &mut WideSlab, words: Granule, new: Cell, knows: &VectorClock) -> Granule {
        slab.update(words, new, knows, None).expect("races")
    }

    #[test]
    fn a_granule_becomes_narrow_when_one_of_each_kind_is_left() {
        let mut slab = WideSlab::new(1000);
        let read = |slot| cell(slot, 1, false, 0xff);
        let words = race_free(&mut slab, [0, read(0).0], read(1), &knows(&[0, 1]));
        assert_eq!(words, [1, read(1).0]);
        assert_eq!((slab.count(), slab.bytes()), (1, bytes_of(2)));
        // A write that knows both.
        let write = cell(2, 1, true, 0xff);
        let words = race_free(&mut slab, words, write, &knows(&[1, 1, 1]));
        assert_eq!(words, [write.0, 0]);
        assert_eq!((slab.count(), slab.bytes()), (0, 0));
    }

    #[test]
    fn cells_that_race_stay_wide() {
        let mut slab = WideSlab::new(1000);
        let mut races = Vec::new();
        let write = cell(0, 1, true, 0x0f);
        let read = cell(1, 1, false, 0x03);
        let one = knows(&[0, 1]);
        assert_eq!(slab.update([write.0, 0], read, &one, None), None);
        assert_eq!((slab.count(), slab.bytes()), (0, 0));
        let words = slab.update([write.0, 0], read, &one, Some(&mut races));
        assert_eq!(words, Some([1, read.0]));
        assert_eq!(races, [write.with_mask(0x03)]);
        // Other bytes do not race, but the pair still does.
        let more = cell(1, 1, false, 0xf0);
        let words = race_free(&mut slab, [1, read.0], more, &one);
        assert!(wide_index(words[0]).is_some());
        // Once the reader knows of the write, nobody can repeat that unseen.
        let again = cell(1, 2, false, 0xff);
        let words = race_free(&mut slab, words, again, &knows(&[1, 2]));
        assert_eq!(words, [write.0, again.0]);
        assert_eq!((slab.count(), slab.bytes()), (0, 0));
    }

    #[test]
    fn granules_with_the_same_cells_share_a_list_however_they_came_by_them() {
        let mut slab = WideSlab::new(1000);
        let write = cell(0, 1, true, 0xff);
        let (one, two) = (cell(1, 1, false, 0xff), cell(2, 1, false, 0xff));
        let (knows_one, knows_two) = (knows(&[1, 1]), knows(&[1, 0, 1]));
        let mut granules = Vec::new();
        for index in 0..1000 {
            granules.push(if index % 2 == 0 {
                race_free(&mut slab, [write.0, one.0], two, &knows_two)
            } else {
                race_free(&mut slab, [write.0, two.0], one, &knows_one)
            });
        }
        assert_eq!(granules[0], [1, two.0]);
        assert_eq!(granules[999], [1, one.0]);
        assert_eq!((slab.count(), slab.bytes()), (1000, bytes_of(3)));
        // What one granule goes on to is not the others' concern.
        let three = cell(3, 1, false, 0xff);
        granules[7] = race_free(&mut slab, granules[7], three, &knows(&[1, 0, 0, 1]));
        assert_eq!(granules[7], [2, three.0]);
        assert_eq!(slab.bytes(), bytes_of(3) + bytes_of(4));
        for words in granules {
            assert_eq!(slab.clear(words, 0xff), [0; 2]);
        }
        assert_eq!((slab.count(), slab.bytes()), (0, 0));
    }

    #[test]
    fn a_remembered_step_to_a_list_that_is_gone_is_taken_anew() {
        let mut slab = WideSlab::new(1000);
        let read = |slot, clock| cell(slot, clock, false, 0xff);
        // More lists, one after another, than the memo has lines: their places are used again in between.
        for clock in 1..=4 * MEMO as u32 {
            for _ in 0..2 {
                let from = [0, read(0, clock).0];
                let words = race_free(&mut slab, from, read(1, 1), &knows(&[0, 1]));
                let index = wide_index(words[0]).expect("two readers");
                let mut cells = [read(0, clock), read(1, 1)];
                cells.sort_unstable_by_key(|cell| cell.0);
                assert_eq!(slab.lists[index].cells[..], cells);
                assert_eq!(slab.clear(words, 0xff), [0; 2]);
            }
        }
        assert_eq!((slab.count(), slab.bytes()), (0, 0));
        assert!(slab.lists.len() <= 2 * MEMO, "{}", slab.lists.len());
    }

    #[test]
    fn a_step_depends_on_what_the_thread_knows() {
        let mut slab = WideSlab::new(1000);
        let (one, two) = (cell(1, 1, false, 0xff), cell(2, 1, false, 0xff));
        let words = |slab: &mut WideSlab| race_free(slab, [0, one.0], two, &knows(&[0, 0, 1]));
        let (a, b) = (words(&mut slab), words(&mut slab));
        let write = cell(3, 1, true, 0xff);
        let all = knows(&[0, 1, 1, 1]);
        assert_eq!(race_free(&mut slab, a, write, &all), [write.0, 0]);
        assert_eq!(slab.update(b, write, &knows(&[0, 1, 0, 1]), None), None);
        assert_eq!(race_free(&mut slab, b, write, &all), [write.0, 0]);
    }

    #[test]
    fn a_list_of_one_thread_is_its_granules_own() {
        let mut slab = WideSlab::new(1000);
        let (low, high) = (cell(0, 1, true, 0x0f), cell(0, 2, true, 0xf0));
        let a = race_free(&mut slab, [low.0, 0], high, &knows(&[2]));
        let b = race_free(&mut slab, [low.0, 0], high, &knows(&[2]));
        assert_ne!(a[0], b[0]);
        let again = cell(0, 3, true, 0x0f);
        let next = race_free(&mut slab, a, again, &knows(&[3]));
        assert_eq!(next, [a[0], again.0]);
        assert_eq!((slab.count(), slab.bytes()), (2, 2 * bytes_of(2)));
        // Another thread's read makes it one that others may have as well.
        let read = cell(1, 1, false, 0xff);
        let shared = race_free(&mut slab, next, read, &knows(&[3, 1]));
        assert_eq!(slab.bytes(), bytes_of(2) + bytes_of(3));
        assert_eq!(slab.clear(shared, 0xff), [0; 2]);
        assert_eq!(slab.clear(b, 0xf0), [low.0, 0]);
        assert_eq!((slab.count(), slab.bytes()), (0, 0));
    }

    #[test]
    fn sharing_changes_nothing_for_any_granule() {
        const GRANULES: usize = 64;
        let mut slab = WideSlab::new(1 << 20);
        let mut granules = vec![([0; 2], Cells::new()); GRANULES];
        let mut clocks = [1, 2, 3, 4].map(|_| knows(&[1; 4]));
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let mut most = 0;
        for step in 0..40_000_u32 {
            let slot = random(4) as usize;
            match random(40) {
                0 => {
                    let epoch = clocks[slot].get(Slot(slot as u16)) + 1;
                    clocks[slot].set(Slot(slot as u16), epoch);
                }
                1 => {
                    let other = clocks[random(4) as usize].clone();
                    clocks[slot].join(&other);
                }
                _ => {}
            }
            let clock = &clocks[slot];
            let mask = [0xff, 0x0f, 0xf0, 0x03][random(4) as usize];
            let (write, atomic) = (random(8) == 0, random(4) == 0);
            let epoch = clock.get(Slot(slot as u16));
            let new = Cell::new(Slot(slot as u16), epoch, write, atomic, None).with_mask(mask);
            // A piece of the array, as a loop would.
            let first = random(GRANULES as u64) as usize;
            for (words, model) in granules.iter_mut().skip(first).take(8) {
                if step % 16 == 15 {
                    *words = slab.clear(*words, mask);
                    model.retain(|cell| {
                        *cell = Cell(cell.without(mask));
                        cell.0 != 0
                    });
                } else if words[0] | words[1] == 0 {
                    *words = words_of(&[new]);
                    *model = Cells::from_slice(&[new]);
                } else {
                    let mut expected = Vec::new();
                    *model = after(model, new, clock, &mut expected);
                    let mut races = Vec::new();
                    if !slab.follow(words, new, clock) {
                        *words = slab
                            .update(*words, new, clock, Some(&mut races))
                            .expect("a place");
                    }
                    races.sort_unstable_by_key(|cell| cell.0);
                    expected.sort_unstable_by_key(|cell| cell.0);
                    assert_eq!(races, expected);
                }
                model.sort_unstable_by_key(|cell| cell.0);
                let pair = words.map(Cell);
                let cells = slab.cells(wide_index(words[0]), &pair);
                let mut cells: Cells = cells.iter().copied().filter(|cell| cell.0 != 0).collect();
                cells.sort_unstable_by_key(|cell| cell.0);
                assert_eq!(cells, *model, "step {step}");
            }
            let lists = slab.lists.iter().filter(|list| list.users > 0).count();
            most = most.max(slab.count() - lists);
        }
        assert!(most > GRANULES / 4, "{most}");
        assert!(
            slab.lists.len() <= 2 * (MEMO + GRANULES),
            "{}",
            slab.lists.len()
        );
    }

    #[test]
    fn more_than_four_cells_are_accounted_for() {
        let mut slab = WideSlab::new(1000);
        let mut words = [0, cell(0, 1, false, 1).0];
        for slot in 1..8 {
            let mut own = VectorClock::default();
            own.set(Slot(slot), 1);
            words = race_free(&mut slab, words, cell(slot, 1, false, 1), &own);
        }
        assert_eq!(slab.bytes(), bytes_of(8));
        words = slab.clear(words, 2);
        assert!(wide_index(words[0]).is_some() && words[1] == 0);
        assert_eq!(slab.clear(words, 1), [0, 0]);
        assert_eq!((slab.count(), slab.bytes()), (0, 0));
    }

    #[test]
    fn at_the_bound_only_the_newest_is_remembered() {
        let mut slab = WideSlab::new(bytes_of(2));
        let (a, b) = (cell(0, 1, false, 1), cell(1, 1, false, 1));
        let knows = knows(&[0, 1]);
        let first = race_free(&mut slab, [0, a.0], b, &knows);
        assert_eq!(first, [1, b.0]);
        // The same list is no more to remember, another one is.
        assert_eq!(race_free(&mut slab, [0, a.0], b, &knows)[0], first[0]);
        let other = cell(0, 2, false, 1);
        assert_eq!(race_free(&mut slab, [0, other.0], b, &knows), [0, b.0]);
        assert_eq!(
            (slab.count(), slab.bytes(), slab.forgotten()),
            (2, bytes_of(2), 1)
        );
    }
}
