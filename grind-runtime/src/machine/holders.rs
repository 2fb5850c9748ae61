//! Who has the locks whose functions are intercepted, and how locks of POSIX threads lie in memory.
//!
//! The layout is that of musl, which wasi-libc and Emscripten have theirs from.

use super::intercepts::word;
use crate::model::{LockMode, ObjectKind, ThreadId};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Locks that are held at once; of further ones it is not known who has them.
const MOST_LOCKS: usize = 1 << 20;

/// Who has which lock.
#[derive(Debug, Default)]
pub(super) struct Holders(FxHashMap<u32, SmallVec<[Holder; 1]>>);

#[derive(Clone, Copy, Debug)]
struct Holder {
    thread: ThreadId,
    mode: LockMode,
    /// As often as it was taken.
    count: u32,
}

impl Holders {
    /// The thread took the lock.
    pub(super) fn take(&mut self, lock: u32, thread: ThreadId, mode: LockMode) {
        if self.0.len() >= MOST_LOCKS && !self.0.contains_key(&lock) {
            return;
        }
        let holders = self.0.entry(lock).or_default();
        match holders.iter_mut().find(|holder| holder.thread == thread) {
            Some(holder) => holder.count += 1,
            None => holders.push(Holder {
                thread,
                mode,
                count: 1,
            }),
        }
    }

    /// The threads that have the lock.
    pub(super) fn of(&self, lock: u32) -> impl Iterator<Item = ThreadId> {
        let holders = self.0.get(&lock).into_iter().flatten();
        holders.map(|holder| holder.thread)
    }

    /// How the thread has the lock.
    pub(super) fn mode_of(&self, lock: u32, thread: ThreadId) -> Option<LockMode> {
        let mut holders = self.0.get(&lock)?.iter();
        let holder = holders.find(|holder| holder.thread == thread)?;
        Some(holder.mode)
    }

    /// How anyone has the lock.
    pub(super) fn mode(&self, lock: u32) -> Option<LockMode> {
        let holders = self.0.get(&lock)?;
        holders.iter().map(|holder| holder.mode).min()
    }

    /// The thread released the lock once.
    pub(super) fn leave(&mut self, lock: u32, thread: ThreadId) {
        let Some(holders) = self.0.get_mut(&lock) else {
            return;
        };
        holders.retain(|holder| {
            holder.count -= u32::from(holder.thread == thread);
            holder.count > 0
        });
        if holders.is_empty() {
            self.0.remove(&lock);
        }
    }

    /// Nobody has the lock any more.
    pub(super) fn forget(&mut self, lock: u32) {
        self.0.remove(&lock);
    }
}

/// The kind of a mutex, in the low bits of its first word: 0 is the default one, 1 a recursive one, 2 one that checks.
fn mutex_type(memory: &[u8], mutex: u32) -> u32 {
    word(memory, mutex).unwrap_or(0) & 15
}

/// Whether a mutex can be released by its holder only. Others are refused.
pub(super) fn checks_holder(memory: &[u8], mutex: u32) -> bool {
    mutex_type(memory, mutex) != 0
}

/// Whether a lock is held by anyone, as its memory tells.
pub(super) fn is_locked(memory: &[u8], kind: ObjectKind, lock: u32) -> bool {
    let offset = match kind {
        ObjectKind::Mutex => 4,
        _ => 0,
    };
    word(memory, lock.saturating_add(offset)).is_some_and(|word| word != 0)
}

/// Whether a thread that has the lock in mode `held` waits for ever if it asks for it in mode `asked`.
pub(super) fn waits_for_itself(
    memory: &[u8],
    kind: ObjectKind,
    lock: u32,
    [held, asked]: [LockMode; 2],
) -> bool {
    let possible = match kind {
        ObjectKind::Mutex => mutex_type(memory, lock) == 0,
        _ => [held, asked].contains(&LockMode::Exclusive),
    };
    possible && is_locked(memory, kind, lock)
}

/// Whether a semaphore has its highest value, so that it cannot be posted.
pub(super) fn is_full(memory: &[u8], semaphore: u32) -> bool {
    const HIGHEST: u32 = 0x7fff_ffff;
    word(memory, semaphore).is_some_and(|value| value & HIGHEST == HIGHEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_as_often_as_it_was_taken() {
        let (one, two) = (ThreadId(1), ThreadId(2));
        let mut holders = Holders::default();
        holders.take(8, one, LockMode::Shared);
        holders.take(8, one, LockMode::Shared);
        holders.take(8, two, LockMode::Shared);
        holders.leave(8, one);
        assert_eq!(holders.mode_of(8, one), Some(LockMode::Shared));
        holders.leave(8, one);
        assert_eq!(holders.mode_of(8, one), None);
        assert_eq!(holders.mode(8), Some(LockMode::Shared));
        holders.leave(8, two);
        assert_eq!((holders.mode(8), holders.0.len()), (None, 0));
    }
}
