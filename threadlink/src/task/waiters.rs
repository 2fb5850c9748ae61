//! Who waits for a primitive, in the order in which they came.
//!
//! A waiter has its entry from the poll in which it first waits until it is dropped or gets what it waited for.
//! It is *granted* by whoever provides that: the entry leaves the line, and stays until its waiter comes for it. A waiter
//! that is dropped before it comes knows by its entry that it was granted, so that it can pass it on.
//!
//! What is waited for is counted: permits, one value, one notification. A grant of none is nothing that is passed on.
//!
//! The entries are a doubly linked list in a vector, so that all of it takes constant time.

use core::task::Waker;

/// Names an entry until it is removed.
pub(super) type Key = usize;

/// An end of the list.
const NONE: usize = usize::MAX;

#[derive(Debug)]
struct Entry {
    /// Until it is woken.
    waker: Option<Waker>,
    count: usize,
    granted: bool,
    before: usize,
    /// Of a free entry, the next free one.
    after: usize,
}

/// The line of those who wait.
#[derive(Debug)]
pub(super) struct Waiters {
    entries: Vec<Entry>,
    first: usize,
    last: usize,
    free: usize,
    len: usize,
}

impl Waiters {
    pub(super) const fn new() -> Waiters {
        Waiters {
            entries: Vec::new(),
            first: NONE,
            last: NONE,
            free: NONE,
            len: 0,
        }
    }

    /// How many wait and were not granted.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first == NONE
    }

    /// How many the first waits for.
    pub(super) fn first(&self) -> Option<usize> {
        self.entries.get(self.first).map(|entry| entry.count)
    }

    pub(super) fn push(&mut self, waker: Waker, count: usize) -> Key {
        let entry = Entry {
            waker: Some(waker),
            count,
            granted: false,
            before: self.last,
            after: NONE,
        };
        let key = self.free;
        let key = match self.entries.get_mut(key) {
            Some(free) => {
                self.free = free.after;
                *free = entry;
                key
            }
            None => {
                self.entries.push(entry);
                self.entries.len() - 1
            }
        };
        match self.entries.get_mut(self.last) {
            Some(last) => last.after = key,
            None => self.first = key,
        }
        self.last = key;
        self.len += 1;
        key
    }

    /// Grants the first what it waits for, if anybody waits. The waker, unless it was woken already, is to be woken when no
    /// cell is borrowed.
    pub(super) fn grant(&mut self) -> Option<Granted<'_>> {
        let key = self.first;
        self.entries.get(key)?;
        self.unlink(key);
        let entry = &mut self.entries[key];
        entry.granted = true;
        Some(Granted {
            count: &mut entry.count,
            waker: entry.waker.take(),
        })
    }

    /// Wakers of all that wait. They stay in line.
    pub(super) fn wakers(&mut self) -> Vec<Waker> {
        let waiting = self.entries.iter_mut().filter(|entry| !entry.granted);
        waiting.filter_map(|entry| entry.waker.take()).collect()
    }

    pub(super) fn is_granted(&self, key: Key) -> bool {
        self.entries[key].granted
    }

    /// Replaces the waker of one that was polled again, and returns what is to be dropped.
    pub(super) fn wait_on(&mut self, key: Key, waker: &Waker) -> Option<Waker> {
        let old = &mut self.entries[key].waker;
        match old {
            Some(old) if old.will_wake(waker) => None,
            _ => old.replace(waker.clone()),
        }
    }

    /// Removes an entry. Returns how many it waited for, whether it was granted, and its waker, to be dropped
    /// when no cell is borrowed.
    pub(super) fn remove(&mut self, key: Key) -> Removed {
        if !self.entries[key].granted {
            self.unlink(key);
        }
        let entry = &mut self.entries[key];
        let removed = Removed {
            count: entry.count,
            granted: core::mem::replace(&mut entry.granted, true),
            waker: entry.waker.take(),
        };
        entry.after = core::mem::replace(&mut self.free, key);
        removed
    }

    /// Takes an entry out of the line.
    fn unlink(&mut self, key: Key) {
        let (before, after) = (self.entries[key].before, self.entries[key].after);
        match self.entries.get_mut(before) {
            Some(entry) => entry.after = after,
            None => self.first = after,
        }
        match self.entries.get_mut(after) {
            Some(entry) => entry.before = before,
            None => self.last = before,
        }
        self.len -= 1;
    }
}

/// The entry of one that was granted what it waits for.
pub(super) struct Granted<'a> {
    pub(super) count: &'a mut usize,
    pub(super) waker: Option<Waker>,
}

/// What an entry was when it was removed.
pub(super) struct Removed {
    pub(super) count: usize,
    pub(super) granted: bool,
    /// Only to be dropped.
    pub(super) waker: Option<Waker>,
}
