//! Races by weak causal precedence: Kini, Mathur and Viswanathan, *Dynamic Race Prediction in Linear Time*, PLDI 2017.
//!
//! Two critical sections of one lock are ordered only if they have to be:
//! (a) a release precedes a later access inside a section of the same lock, of another thread, if its own section has an
//! access that conflicts with it;
//! (b) a release precedes a release of the same lock by another thread if its acquire precedes that;
//! (c) what happens before something that precedes, precedes, and the other way round.
//! Fork, join and a notify with its wait precede, too. So do a store of an atomic and what was stored or loaded before, for
//! the values of atomics decide what a thread does next, and do not race; in (a), they count as variables. An atomic access of a
//! variable conflicts with plain ones only.
//!
//! **Finds** accesses that a conflicting earlier access of another thread does not precede: all that happens-before
//! finds, but for those that a load of an atomic and a later store of it order, and those that were ordered only by the order in
//! which unrelated sections took a lock.
//!
//! **Misses** races that need two sections of a lock to swap although they have conflicting accesses.
//!
//! **Never reports falsely** that *something* is wrong: if there is a race by this order, the trace has a
//! predictable race or a predictable deadlock. That is known of the first race only, as with happens-before.
//!
//! **Cost**: time by the locks held per access, and by threads per synchronisation. Memory grows with the number of
//! critical sections, up to 2^22 of them, 64 bytes each with up to 8 threads. Then the oldest of the lock at hand are
//! forgotten and count as preceding: that only misses.

use crate::predict::algorithms::analysis::{Race, RaceAnalysis, Totals, entry, table_bytes};
use crate::predict::algorithms::clock::Clock;
use crate::predict::algorithms::event::{Accessing, Event, MAX_LOCKS, MAX_VARIABLES, Op};
use crate::predict::algorithms::history::History;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Sections that are remembered, of all locks together.
const MAX_SECTIONS: usize = 1 << 22;

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Wcp {
    threads: Vec<Thread>,
    locks: Vec<Lock>,
    conditions: Vec<Condition>,
    /// By lock and variable: in which sections it was accessed last.
    accessed: FxHashMap<(u32, u32), Accessed>,
    variables: Vec<Variable>,
    /// Bytes of clocks and histories beyond those in the tables.
    spilled: u64,
    sections: usize,
    max_sections: usize,
    totals: Totals,
}

#[derive(Clone, Debug, Default)]
struct Thread {
    /// What happens before its next event, itself included.
    before: Clock,
    /// What precedes its next event.
    precedes: Clock,
    held: SmallVec<[u32; 4]>,
}

#[derive(Clone, Debug, Default)]
struct Lock {
    /// In order; no two overlap.
    sections: VecDeque<Section>,
    /// How many are forgotten.
    forgotten: u32,
    /// What happens before the release of the last forgotten one.
    forgotten_before: Clock,
    /// What precedes the last release.
    precedes: Clock,
    /// By thread: up to which section rule (b) was applied.
    applied: Vec<u32>,
}

/// Of the numbers of atomics, to tell them from those of variables.
const ATOMIC: u32 = 1 << 31;

/// The same of variables that atomics access, as far as those do.
const ATOMICALLY: u32 = 1 << 30;

const _: () = assert!(MAX_VARIABLES <= ATOMICALLY && MAX_LOCKS <= ATOMICALLY);

#[derive(Clone, Debug, Default)]
struct Variable {
    history: History,
    /// An atomic accessed it.
    atomic: bool,
}

/// A condition, or an atomic.
#[derive(Clone, Debug, Default)]
struct Condition {
    /// What happens before the notifications, or the stores.
    notified: Clock,
    /// What happens before the loads.
    loaded: Clock,
}

#[derive(Clone, Debug, Default)]
struct Section {
    thread: u32,
    /// The time of its acquire.
    acquired: u32,
    /// What happens before its release, itself included; empty before that.
    released: Clock,
}

/// A section by its place in the order of all sections of a lock, from 1, and its thread.
#[derive(Clone, Copy, Debug, Default)]
struct Which {
    number: u32,
    thread: u32,
}

/// The last section with an access, and the last of another thread than that.
///
/// The rest happens before these, so what rule (a) has to say of it, it says of them.
#[derive(Clone, Copy, Debug, Default)]
struct Last([Which; 2]);

#[derive(Clone, Copy, Debug, Default)]
struct Accessed {
    reads: Last,
    writes: Last,
}

impl Accessed {
    /// The number of the last section of another thread that has an access which conflicts, 0 if there is none.
    #[inline]
    fn conflict(&self, thread: u32, write: bool) -> u32 {
        let writes = self.writes.of_others(thread);
        match write {
            true => writes.max(self.reads.of_others(thread)),
            false => writes,
        }
    }
}

impl Last {
    /// The number of the last section of a thread other than `thread`, 0 if there is none.
    #[inline]
    fn of_others(&self, thread: u32) -> u32 {
        let [last, other] = self.0;
        if last.thread == thread {
            other.number
        } else {
            last.number
        }
    }

    #[inline]
    fn set(&mut self, section: Which) {
        if self.0[0].thread != section.thread {
            self.0[1] = self.0[0];
        }
        self.0[0] = section;
    }
}

impl Thread {
    /// What happens before something that precedes the thread.
    fn follow(&mut self, before: &Clock) {
        self.before.join(before);
        self.precedes.join(before);
    }
}

impl Default for Wcp {
    fn default() -> Self {
        Wcp::with_sections(MAX_SECTIONS)
    }
}

impl Wcp {
    /// An analysis that remembers up to `max_sections` critical sections.
    pub fn with_sections(max_sections: usize) -> Self {
        Wcp {
            threads: Vec::new(),
            locks: Vec::new(),
            conditions: Vec::new(),
            accessed: FxHashMap::default(),
            variables: Vec::new(),
            spilled: 0,
            sections: 0,
            max_sections,
            totals: Totals::default(),
        }
    }

    #[inline]
    fn thread(&mut self, thread: u32) -> &mut Thread {
        for new in self.threads.len() as u32..=thread {
            let mut state = Thread::default();
            state.before.set(new, 1);
            self.threads.push(state);
        }
        &mut self.threads[thread as usize]
    }

    fn acquire(&mut self, thread: u32, lock: u32) {
        self.thread(thread);
        let mine = &mut self.threads[thread as usize];
        let state = entry(&mut self.locks, lock);
        mine.before.join(state.released());
        mine.precedes.join(&state.precedes);
        mine.held.push(lock);
        if self.sections >= self.max_sections
            && let Some(freed) = state.forget()
        {
            self.sections -= 1;
            self.spilled -= freed;
        }
        self.sections += 1;
        state.sections.push_back(Section {
            thread,
            acquired: mine.before.get(thread),
            released: Clock::default(),
        });
    }

    fn release(&mut self, thread: u32, lock: u32) {
        self.thread(thread);
        let mine = &mut self.threads[thread as usize];
        let Some(held) = mine.held.iter().rposition(|&held| held == lock) else {
            return;
        };
        mine.held.remove(held);
        let state = entry(&mut self.locks, lock);
        state.apply(thread, &mut mine.precedes);
        if let Some(section) = state.sections.back_mut() {
            section.released.copy(&mine.before);
            self.spilled += section.released.spilled();
        }
        let before = state.precedes.spilled();
        state.precedes.copy(&mine.precedes);
        self.spilled += state.precedes.spilled() - before;
        mine.before.tick(thread);
    }

    /// Rule (a), for an access of this variable.
    fn variable(&mut self, thread: u32, variable: u32, how: Accessing) {
        let state = entry(&mut self.variables, variable);
        state.atomic |= how.atomic;
        let conflicting = match (how.atomic, state.atomic) {
            (true, _) => [Some(variable), None],
            (false, true) => [Some(variable), Some(variable | ATOMICALLY)],
            (false, false) => [Some(variable), None],
        };
        let own = variable | if how.atomic { ATOMICALLY } else { 0 };
        self.access(thread, conflicting, own, how.write);
    }

    /// Rule (a), for an access of `own`, as it is counted among its like; what it conflicts with has these numbers
    /// ([`ATOMIC`], [`ATOMICALLY`]).
    #[inline]
    fn access(&mut self, thread: u32, conflicting: [Option<u32>; 2], own: u32, write: bool) {
        self.thread(thread);
        let mine = &mut self.threads[thread as usize];
        for &lock in &mine.held {
            let state = &self.locks[lock as usize];
            let mut section = 0;
            for what in conflicting
                .into_iter()
                .flatten()
                .filter(|&what| what != own)
            {
                if let Some(accessed) = self.accessed.get(&(lock, what)) {
                    section = section.max(accessed.conflict(thread, write));
                }
            }
            let accessed = self.accessed.entry((lock, own)).or_default();
            if conflicting.contains(&Some(own)) {
                section = section.max(accessed.conflict(thread, write));
            }
            if section > 0 {
                state.precede(section, &mut mine.precedes);
            }
            let number = state.forgotten + state.sections.len() as u32;
            let here = Which { number, thread };
            match write {
                true => accessed.writes.set(here),
                false => accessed.reads.set(here),
            }
        }
    }
}

impl Lock {
    /// What happens before the last release.
    fn released(&self) -> &Clock {
        self.sections
            .back()
            .map_or(&self.forgotten_before, |section| &section.released)
    }

    /// Forgets the oldest section, and says how many bytes its clock had taken; the last one forgotten is still there.
    fn forget(&mut self) -> Option<u64> {
        let oldest = self.sections.pop_front()?;
        self.forgotten += 1;
        let before = std::mem::replace(&mut self.forgotten_before, oldest.released);
        Some(before.spilled())
    }

    /// The release of `section` precedes the thread whose clock `precedes` is.
    #[inline]
    fn precede(&self, section: u32, precedes: &mut Clock) {
        match section.checked_sub(self.forgotten + 1) {
            Some(index) => {
                if let Some(Section {
                    thread, released, ..
                }) = self.sections.get(index as usize)
                    && precedes.get(*thread) < released.get(*thread)
                {
                    precedes.join(released);
                }
            }
            None => precedes.join(&self.forgotten_before),
        }
    }

    /// Rule (b), at a release by `thread`. Its own section is the last.
    fn apply(&mut self, thread: u32, precedes: &mut Clock) {
        let applied = entry(&mut self.applied, thread);
        if *applied < self.forgotten {
            *applied = self.forgotten;
            precedes.join(&self.forgotten_before);
        }
        // What happens before a section whose acquire precedes, precedes. So they are looked at in order, and only
        // the last one that is found has to be learned.
        loop {
            let mut last = None;
            while let Some(section) = self.sections.get((*applied - self.forgotten) as usize) {
                if section.thread != thread {
                    if section.acquired > precedes.get(section.thread) {
                        break;
                    }
                    last = Some(&section.released);
                }
                *applied += 1;
            }
            match last {
                Some(released) => precedes.join(released),
                None => return,
            }
        }
    }
}

impl RaceAnalysis for Wcp {
    fn feed(&mut self, event: Event) -> Option<Race> {
        let at = self.totals.place(&event);
        let Event {
            thread, operand, ..
        } = event;
        match event.op {
            Op::Acquire => self.acquire(thread, operand),
            Op::Release => self.release(thread, operand),
            Op::Fork => {
                let before = self.thread(thread).before.clone();
                self.thread(thread).before.tick(thread);
                let child = self.thread(operand);
                child.follow(&before);
            }
            Op::Join => {
                let before = self.thread(operand).before.clone();
                self.thread(thread).follow(&before);
            }
            Op::Notify => {
                self.thread(thread);
                let mine = &mut self.threads[thread as usize];
                entry(&mut self.conditions, operand)
                    .notified
                    .join(&mine.before);
                mine.before.tick(thread);
            }
            Op::Wait | Op::Needs => {
                self.thread(thread);
                let mine = &mut self.threads[thread as usize];
                mine.follow(&entry(&mut self.conditions, operand).notified);
            }
            Op::Load => {
                let atomic = ATOMIC | operand;
                self.access(thread, [Some(atomic), None], atomic, false);
                let mine = &mut self.threads[thread as usize];
                let atomic = entry(&mut self.conditions, operand);
                mine.follow(&atomic.notified);
                atomic.loaded.join(&mine.before);
                mine.before.tick(thread);
            }
            Op::Store => {
                let atomic = ATOMIC | operand;
                self.access(thread, [Some(atomic), None], atomic, true);
                let mine = &mut self.threads[thread as usize];
                let atomic = entry(&mut self.conditions, operand);
                mine.follow(&atomic.notified);
                mine.follow(&atomic.loaded);
                atomic.notified.join(&mine.before);
                mine.before.tick(thread);
            }
            Op::Read | Op::Write | Op::AtomicRead | Op::AtomicWrite => {
                let how = event.op.access()?;
                self.variable(thread, operand, how);
                let mine = &mut self.threads[thread as usize];
                // For the test, its own events precede the thread.
                let own = mine.precedes.get(thread);
                mine.precedes.set(thread, mine.before.get(thread));
                let variable = entry(&mut self.variables, operand);
                let (known, spilled) = (&mine.precedes, &mut self.spilled);
                let other = (variable.history).access(how, thread, known, at, spilled);
                mine.precedes.set(thread, own);
                return self.totals.race(&event, at, other.map(Some));
            }
            Op::Request | Op::Begin | Op::End => {}
        }
        None
    }

    fn finish(&self) -> Totals {
        self.totals
    }

    fn bytes(&self) -> u64 {
        let sections = self.sections as u64 * size_of::<Section>() as u64;
        let accessed = self.accessed.capacity() * size_of::<((u32, u32), Accessed)>();
        self.spilled
            + sections
            + accessed as u64
            + table_bytes(&self.threads)
            + table_bytes(&self.locks)
            + table_bytes(&self.conditions)
            + table_bytes(&self.variables)
    }
}
