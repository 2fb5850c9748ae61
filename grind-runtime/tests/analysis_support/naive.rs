//! Happens-before with nothing clever: every access is kept with its whole vector clock, and every byte
//! with all accesses to it. Shares no code with the detector.

use super::streams::{Item, Stream};
use grind_runtime::detect::HeapMisuse;
use grind_runtime::model::sites::{SiteId, SiteKind};
use grind_runtime::model::{AtomicKind, Event, EventKind, LockMode, RangeOrigin, WaitOutcome};
use std::collections::{BTreeMap, BTreeSet};

/// By thread.
type Clock = BTreeMap<u32, u64>;

fn join(into: &mut Clock, from: &Clock) {
    for (&thread, &clock) in from {
        let mine = into.entry(thread).or_insert(0);
        *mine = (*mine).max(clock);
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) thread: u32,
    pub(crate) clock: Clock,
    pub(crate) addr: u32,
    pub(crate) len: u32,
    pub(crate) write: bool,
    pub(crate) atomic: bool,
    pub(crate) stack: Vec<SiteId>,
    pub(crate) locks: Vec<u32>,
}

impl Seen {
    pub(crate) fn epoch(&self) -> u64 {
        self.clock[&self.thread]
    }

    pub(crate) fn covers(&self, byte: u32) -> bool {
        byte >= self.addr && byte - self.addr < self.len
    }

    /// Conflicts with whatever `other` conflicts with.
    pub(crate) fn no_weaker_than(&self, other: &Seen) -> bool {
        // Try all four kinds of a third access.
        [(false, false), (false, true), (true, false), (true, true)]
            .iter()
            .all(|&third| {
                let conflict = |seen: &Seen| (seen.write || third.0) && !(seen.atomic && third.1);
                !conflict(other) || conflict(self)
            })
    }
}

#[derive(Default)]
struct Thread {
    clock: Clock,
    calls: Vec<SiteId>,
    hidden: u32,
    locks: Vec<u32>,
}

/// A pair of accesses that race, by index, and one byte where they do.
pub(crate) type Race = (usize, usize, u32);

#[derive(Default)]
pub(crate) struct Naive {
    threads: BTreeMap<u32, Thread>,
    pub(crate) accesses: Vec<Seen>,
    bytes: BTreeMap<u32, Vec<usize>>,
    released: BTreeMap<u32, Clock>,
    exclusive: BTreeMap<u32, Clock>,
    shared: BTreeMap<u32, Clock>,
    objects: BTreeMap<u32, Clock>,
    /// By address, and who notified there.
    futexes: BTreeMap<(u32, u32), Clock>,
    ended: BTreeMap<u32, Clock>,
    blocks: BTreeMap<u32, u32>,
    /// Blocks that were freed: their size, and the access that was, if it was not hidden.
    freed: BTreeMap<u32, (u32, Option<usize>)>,
    /// What was done with heap blocks against the rules: by whom and where.
    pub(crate) misuses: BTreeSet<(HeapMisuse, u32, Vec<SiteId>)>,
    benign: BTreeSet<u32>,
    /// Earlier, later, byte; in order of the later.
    pub(crate) races: Vec<Race>,
}

impl Naive {
    pub(crate) fn run(stream: &Stream) -> Naive {
        let mut naive = Naive::default();
        for item in &stream.items {
            match item {
                Item::Records(thread, records) => {
                    for record in records {
                        let site = stream.sites.get(record.site());
                        let me = naive.threads.entry(thread.0).or_default();
                        match site.kind {
                            SiteKind::Call => me.calls.push(record.site()),
                            SiteKind::Return => drop(me.calls.pop()),
                            kind => {
                                let addr = record.base() + site.displacement;
                                let (len, write) = (site.width.into(), kind == SiteKind::Write);
                                naive.access(
                                    thread.0,
                                    Some(record.site()),
                                    addr,
                                    len,
                                    write,
                                    false,
                                );
                            }
                        }
                    }
                }
                Item::Event(event) => naive.event(event),
            }
        }
        naive
    }

    fn misuse(&mut self, thread: u32, misuse: HeapMisuse) {
        let me = &self.threads[&thread];
        if me.hidden == 0 {
            let stack = me.calls.iter().rev().copied().collect();
            self.misuses.insert((misuse, thread, stack));
        }
    }

    fn access(
        &mut self,
        thread: u32,
        site: Option<SiteId>,
        addr: u32,
        len: u32,
        write: bool,
        atomic: bool,
    ) {
        let me = &self.threads[&thread];
        if me.hidden > 0 {
            return;
        }
        let seen = Seen {
            thread,
            clock: me.clock.clone(),
            addr,
            len,
            write,
            atomic,
            stack: site
                .into_iter()
                .chain(me.calls.iter().rev().copied())
                .collect(),
            locks: me.locks.clone(),
        };
        let index = self.accesses.len();
        for byte in addr..addr + len {
            let after_free = self.freed.iter().any(|(&at, &(size, free))| {
                let free = free.map(|index| &self.accesses[index]);
                byte >= at
                    && byte - at < size
                    && free.is_some_and(|free| {
                        let known = seen.clock.get(&free.thread).copied().unwrap_or(0);
                        free.thread == thread || free.epoch() <= known
                    })
            });
            if after_free && !self.benign.contains(&byte) {
                let misuse = HeapMisuse::UseAfterFree;
                self.misuses.insert((misuse, thread, seen.stack.clone()));
            }
            let before = self.bytes.entry(byte).or_default();
            for &old in before.iter() {
                let older = &self.accesses[old];
                let known = seen.clock.get(&older.thread).copied().unwrap_or(0);
                let ordered = older.thread == thread || older.epoch() <= known;
                let conflict = (older.write || write) && !(older.atomic && atomic);
                if conflict && !ordered && !self.benign.contains(&byte) {
                    self.races.push((old, index, byte));
                }
            }
            before.push(index);
        }
        self.accesses.push(seen);
    }

    fn acquire(&mut self, thread: u32, from: Option<Clock>) {
        if let (Some(me), Some(from)) = (self.threads.get_mut(&thread), from) {
            join(&mut me.clock, &from);
        }
    }

    /// The clock as it is, and a new epoch.
    fn release(&mut self, thread: u32) -> Clock {
        let me = self.threads.get_mut(&thread).expect("known");
        let clock = me.clock.clone();
        *me.clock.get_mut(&thread).expect("own") += 1;
        clock
    }

    fn event(&mut self, event: &Event) {
        let me = event.thread.0;
        let state = self.threads.entry(me).or_default();
        state.clock.entry(me).or_insert(1);
        match event.kind {
            EventKind::ThreadCreate { child } => {
                let mut clock = self.release(me);
                clock.insert(child.0, 1);
                self.threads.insert(
                    child.0,
                    Thread {
                        clock,
                        ..Thread::default()
                    },
                );
            }
            EventKind::ThreadExit(_) => {
                let clock = self.release(me);
                self.ended.insert(me, clock);
            }
            EventKind::ThreadJoin { child } => self.acquire(me, self.ended.get(&child.0).cloned()),
            EventKind::HappensBefore { object } => {
                let clock = self.release(me);
                join(self.objects.entry(object).or_default(), &clock);
            }
            EventKind::HappensAfter { object } => {
                self.acquire(me, self.objects.get(&object).cloned());
            }
            EventKind::HideBegin => state.hidden += 1,
            EventKind::HideEnd => state.hidden -= 1,
            EventKind::LockRequest { .. } => state.hidden += 1,
            EventKind::LockFail { .. } | EventKind::LockReleased { .. } => state.hidden -= 1,
            EventKind::LockAcquire { lock, mode } => {
                state.hidden -= 1;
                state.locks.push(lock);
                if state.hidden == 0 {
                    self.acquire(me, self.exclusive.get(&lock).cloned());
                    if mode == LockMode::Exclusive {
                        self.acquire(me, self.shared.get(&lock).cloned());
                    }
                }
            }
            EventKind::LockRelease { lock, mode } => {
                state.hidden += 1;
                state.locks.retain(|&held| held != lock);
                if state.hidden == 1 {
                    let clock = self.release(me);
                    let of = match mode {
                        LockMode::Exclusive => &mut self.exclusive,
                        LockMode::Shared => &mut self.shared,
                    };
                    join(of.entry(lock).or_default(), &clock);
                }
            }
            EventKind::CondvarWait { lock, .. } => {
                state.hidden += 1;
                let had = state.locks.contains(&lock);
                state.locks.retain(|&held| held != lock);
                if state.hidden == 1 && had {
                    let clock = self.release(me);
                    join(self.exclusive.entry(lock).or_default(), &clock);
                }
            }
            EventKind::CondvarWake { lock, .. } => {
                state.hidden -= 1;
                state.locks.push(lock);
                if state.hidden == 0 {
                    self.acquire(me, self.exclusive.get(&lock).cloned());
                    self.acquire(me, self.shared.get(&lock).cloned());
                }
            }
            EventKind::Alloc { addr, size } => {
                for byte in addr..addr + size {
                    self.bytes.remove(&byte);
                    self.released.remove(&byte);
                    self.benign.remove(&byte);
                }
                let end = addr + size.max(1);
                let beside = |at: u32, len: u32| at >= end || at + len <= addr && at != addr;
                self.blocks.retain(|&at, &mut len| beside(at, len));
                self.freed.retain(|&at, &mut (len, _)| beside(at, len));
                self.blocks.insert(addr, size);
            }
            EventKind::Free { addr } => {
                let within = |(&at, &len): (&u32, &u32)| at < addr && addr - at < len;
                if let Some(size) = self.blocks.remove(&addr) {
                    let before = self.accesses.len();
                    self.access(me, None, addr, size, true, false);
                    let access = (before < self.accesses.len()).then_some(before);
                    self.freed.insert(addr, (size, access));
                } else if self.freed.contains_key(&addr) {
                    self.misuse(me, HeapMisuse::DoubleFree);
                } else if self.blocks.iter().any(within) {
                    self.misuse(me, HeapMisuse::InvalidFree);
                }
            }
            EventKind::BenignRace { addr, len } => self.benign.extend(addr..addr + len),
            EventKind::Range {
                origin,
                addr,
                len,
                write,
            } => {
                let site = match origin {
                    RangeOrigin::Bulk(site) => Some(site),
                    RangeOrigin::Host => None,
                };
                self.access(me, site, addr, len, write, false);
            }
            _ if state.hidden > 0 => {}
            EventKind::Atomic {
                site,
                addr,
                width,
                kind,
            } => {
                let bytes = addr..addr + u32::from(width);
                if kind != AtomicKind::Store {
                    for byte in bytes.clone() {
                        self.acquire(me, self.released.get(&byte).cloned());
                    }
                }
                let write = kind != AtomicKind::Load;
                self.access(me, Some(site), addr, width.into(), write, true);
                if write {
                    let clock = self.release(me);
                    self.released
                        .extend(bytes.map(|byte| (byte, clock.clone())));
                }
            }
            EventKind::WaitBegin { site, addr, width }
            | EventKind::WaitEnd {
                site,
                addr,
                width,
                outcome: WaitOutcome::NotEqual,
                ..
            } => {
                for byte in addr..addr + u32::from(width) {
                    self.acquire(me, self.released.get(&byte).cloned());
                }
                self.access(me, Some(site), addr, width.into(), false, true);
            }
            EventKind::Notify { addr, woken, .. } if woken > 0 => {
                let clock = self.release(me);
                self.futexes.insert((addr, me), clock);
            }
            EventKind::WaitEnd {
                addr,
                outcome: WaitOutcome::Woken,
                by: Some(by),
                ..
            } => {
                self.acquire(me, self.futexes.get(&(addr, by.0)).cloned());
            }
            _ => {}
        }
    }
}
