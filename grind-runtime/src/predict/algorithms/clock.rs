//! Vector clocks (Mattern 1989; Fidge 1988) of few threads, and the order that synchronisation makes.

use crate::predict::algorithms::analysis::{entry, table_bytes};
use crate::predict::algorithms::event::{Event, Op};
use smallvec::SmallVec;

/// One time per thread. A thread beyond the end has time 0: nothing of it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::predict) struct Clock(SmallVec<[u32; 8]>);

impl Clock {
    #[inline]
    pub(in crate::predict) fn get(&self, thread: u32) -> u32 {
        self.0.get(thread as usize).copied().unwrap_or(0)
    }

    #[inline]
    pub(in crate::predict) fn set(&mut self, thread: u32, time: u32) {
        let index = thread as usize;
        if index >= self.0.len() {
            self.0.resize(index + 1, 0);
        }
        self.0[index] = time;
    }

    #[inline]
    pub(in crate::predict) fn raise(&mut self, thread: u32, time: u32) {
        if self.get(thread) < time {
            self.set(thread, time);
        }
    }

    /// Learns all that `other` knows.
    #[inline]
    pub(in crate::predict) fn join(&mut self, other: &Clock) {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }

    /// Becomes a copy of `other`, in its own memory.
    #[inline]
    pub(in crate::predict) fn copy(&mut self, other: &Clock) {
        self.0.resize(other.0.len(), 0);
        self.0.copy_from_slice(&other.0);
    }

    /// Knows nothing, in its own memory.
    pub(in crate::predict) fn clear(&mut self) {
        self.0.clear();
    }

    /// Bytes beyond those of the clock itself, where it has more threads than fit into it.
    #[inline]
    pub(in crate::predict) fn spilled(&self) -> u64 {
        match self.0.spilled() {
            true => (self.0.capacity() * size_of::<u32>()) as u64,
            false => 0,
        }
    }

    /// How many threads have a place in it.
    pub(in crate::predict) fn len(&self) -> u32 {
        self.0.len() as u32
    }

    pub(in crate::predict) fn tick(&mut self, thread: u32) {
        let time = self.get(thread);
        self.set(thread, time + 1);
    }
}

/// Happens-before of threads and locks: a clock for each, and what every event does to them.
///
/// A thread's time goes on after each event that others can learn of, so an event is known to a clock that has its
/// thread at the event's time or later.
#[derive(Clone, Debug, Default)]
pub(in crate::predict) struct Order {
    threads: Vec<Clock>,
    locks: Vec<Clock>,
    conditions: Vec<Clock>,
    /// Of the clocks of locks and conditions.
    spilled: u64,
}

impl Order {
    /// About how many bytes it takes.
    pub(in crate::predict) fn bytes(&self) -> u64 {
        let tables = [&self.threads, &self.locks, &self.conditions];
        let threads: u64 = self.threads.iter().map(Clock::spilled).sum();
        tables.into_iter().map(table_bytes).sum::<u64>() + threads + self.spilled
    }

    /// What `thread` knows.
    #[inline]
    pub(in crate::predict) fn thread(&mut self, thread: u32) -> &mut Clock {
        if thread as usize >= self.threads.len() {
            self.begin(thread);
        }
        &mut self.threads[thread as usize]
    }

    #[cold]
    fn begin(&mut self, thread: u32) {
        for new in self.threads.len() as u32..=thread {
            let mut clock = Clock::default();
            clock.set(new, 1);
            self.threads.push(clock);
        }
    }

    /// What a synchronising `event` does; nothing for others.
    #[inline]
    pub(in crate::predict) fn sync(&mut self, event: &Event) {
        let Event {
            thread, operand, ..
        } = *event;
        self.thread(thread);
        let mine = &mut self.threads[thread as usize];
        match event.op {
            Op::Acquire => mine.join(entry(&mut self.locks, operand)),
            Op::Release => {
                let lock = entry(&mut self.locks, operand);
                let before = lock.spilled();
                lock.copy(mine);
                self.spilled += lock.spilled() - before;
                mine.tick(thread);
            }
            Op::Wait | Op::Needs | Op::Load => mine.join(entry(&mut self.conditions, operand)),
            Op::Notify | Op::Store => {
                let condition = entry(&mut self.conditions, operand);
                let before = condition.spilled();
                match event.op {
                    // Nobody sees what was stored before it; what changes a value has loaded it.
                    Op::Store => condition.copy(mine),
                    _ => condition.join(mine),
                }
                self.spilled += condition.spilled() - before;
                mine.tick(thread);
            }
            Op::Fork => {
                let known = mine.clone();
                mine.tick(thread);
                self.thread(operand).join(&known);
            }
            Op::Join => {
                let known = self.thread(operand).clone();
                self.thread(thread).join(&known);
            }
            Op::Read | Op::Write | Op::AtomicRead | Op::AtomicWrite => {}
            Op::Request | Op::Begin | Op::End => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(times: &[u32]) -> Clock {
        Clock(times.into())
    }

    #[test]
    fn clocks_of_different_lengths() {
        let mut a = clock(&[3, 1]);
        a.join(&clock(&[1, 1, 0]));
        assert_eq!(a, clock(&[3, 1, 0]));
        a.join(&clock(&[2, 5, 7, 1]));
        assert_eq!(a, clock(&[3, 5, 7, 1]));
        a.join(&clock(&[4]));
        assert_eq!(a, clock(&[4, 5, 7, 1]));
        a.copy(&clock(&[9]));
        assert_eq!((a.get(0), a.get(1)), (9, 0));
    }
}
