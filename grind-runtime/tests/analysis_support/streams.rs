//! Random event streams that a machine could have produced.
//!
//! Every access has a site of its own, so that a report names the access exactly.

use grind_runtime::model::sites::{Site, SiteId, SiteKind, SiteTable};
use grind_runtime::model::{
    AtomicKind, Event, EventKind, EventSink, Flow, LockMode, RangeOrigin, Record, RecordBuffer,
    ThreadEnd, ThreadId, WaitOutcome,
};
use std::sync::Arc;

/// The bytes that streams access: five granules that straddle a segment of shadow memory.
pub(crate) const WINDOW: std::ops::Range<u32> = 0x1_fff0..0x2_0018;

#[derive(Clone, Debug)]
pub(crate) enum Item {
    Records(ThreadId, Vec<Record>),
    Event(Event),
}

#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) sites: Arc<SiteTable>,
    pub(crate) items: Vec<Item>,
}

impl Stream {
    /// One line per record and event.
    pub(crate) fn dump(&self) -> String {
        let mut lines = Vec::new();
        for item in &self.items {
            match item {
                Item::Event(event) => lines.push(format!("{} {:?}", event.thread, event.kind)),
                Item::Records(thread, records) => lines.extend(records.iter().map(|record| {
                    let (id, site) = (record.site(), self.sites.get(record.site()));
                    let addr = record.base() + site.displacement;
                    format!("{thread} {id:?} {:?} {addr:#x}+{}", site.kind, site.width)
                })),
            }
        }
        lines.join("\n")
    }

    /// The same with bulk accesses in place of plain ones, and atomics far from all of them.
    pub(crate) fn in_ranges(&self) -> Stream {
        let mut items = Vec::new();
        for item in &self.items {
            match item {
                Item::Records(thread, records) => {
                    for &record in records {
                        let site = self.sites.get(record.site());
                        let write = site.kind == SiteKind::Write;
                        items.push(if write || site.kind == SiteKind::Read {
                            let origin = RangeOrigin::Bulk(record.site());
                            let addr = record.base() + site.displacement;
                            let kind = EventKind::Range {
                                origin,
                                addr,
                                len: site.width.into(),
                                write,
                            };
                            Item::Event(Event {
                                thread: *thread,
                                kind,
                            })
                        } else {
                            Item::Records(*thread, vec![record])
                        });
                    }
                }
                Item::Event(event) => {
                    let mut event = event.clone();
                    match &mut event.kind {
                        EventKind::Atomic { addr, .. }
                        | EventKind::WaitBegin { addr, .. }
                        | EventKind::WaitEnd { addr, .. }
                        | EventKind::Notify { addr, .. } => *addr += FAR,
                        _ => {}
                    }
                    items.push(Item::Event(event));
                }
            }
        }
        Stream {
            sites: Arc::clone(&self.sites),
            items,
        }
    }

    /// Delivers everything until the sink wants no more.
    pub(crate) fn deliver(&self, sink: &mut impl EventSink) {
        for item in &self.items {
            let flow = match item {
                Item::Records(thread, records) => {
                    let batch: RecordBuffer = records.iter().copied().collect();
                    sink.records(*thread, batch.view())
                }
                Item::Event(event) => sink.event(event),
            };
            if flow == Flow::Halt {
                return;
            }
        }
    }
}

/// Makes every byte of the window this many, so that accesses cover whole segments of shadow memory. Streams must be
/// [`Stream::in_ranges`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale(pub(crate) u32);

/// Added to the addresses of atomics, to keep them out of the window.
const FAR: u32 = 0x4000_0000;

impl Scale {
    /// Where a byte begins.
    pub(crate) fn addr(self, addr: u32) -> u32 {
        if self.0 == 1 || addr >= FAR {
            addr
        } else {
            (addr - WINDOW.start) * self.0
        }
    }

    /// How long an access is.
    pub(crate) fn len(self, seen: &super::naive::Seen) -> u32 {
        if seen.atomic {
            seen.len
        } else {
            seen.len * self.0
        }
    }

    pub(crate) fn stream(self, stream: &Stream) -> Stream {
        let mut stream = stream.clone();
        for item in &mut stream.items {
            let Item::Event(event) = item else { continue };
            match &mut event.kind {
                EventKind::Range { addr, len, .. }
                | EventKind::Alloc { addr, size: len }
                | EventKind::BenignRace { addr, len } => {
                    *addr = self.addr(*addr);
                    *len *= self.0;
                }
                EventKind::Free { addr } => *addr = self.addr(*addr),
                _ => {}
            }
        }
        stream
    }
}

/// Decisions, drawn from bytes so that proptest can shrink them.
pub(crate) struct Choices<'a>(pub(crate) &'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u32 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first.into()
    }

    fn below(&mut self, n: u32) -> u32 {
        self.byte() * n / 256
    }

    fn done(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a thread can do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    /// In the insides of a lock operation.
    Hook(Hook),
    /// On this futex.
    Waiting(SiteId, u32),
    /// Of this condvar and lock.
    Condvar(u32, u32),
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hook {
    Lock(u32, LockMode),
    Unlock(u32),
}

struct Thread {
    state: State,
    depth: u32,
    hidden: u32,
    held: Vec<(u32, LockMode)>,
}

struct Builder {
    sites: SiteTable,
    items: Vec<Item>,
    pending: (ThreadId, Vec<Record>),
    threads: Vec<Thread>,
    blocks: Vec<u32>,
}

const LOCKS: [u32; 2] = [0x100, 0x110];
const CONDVAR: u32 = 0x180;
const OBJECTS: [u32; 2] = [0x200, 0x210];

impl Builder {
    fn site(&mut self, kind: SiteKind, width: u32, displacement: u32) -> SiteId {
        let offset = self.sites.len() as u32;
        self.sites.push(Site {
            kind,
            width: width as u8,
            func: 0,
            offset,
            displacement,
        })
    }

    fn flush(&mut self) {
        let (thread, records) = &mut self.pending;
        if !records.is_empty() {
            self.items
                .push(Item::Records(*thread, std::mem::take(records)));
        }
    }

    fn record(&mut self, thread: ThreadId, record: Record) {
        if self.pending.0 != thread {
            self.flush();
            self.pending.0 = thread;
        }
        self.pending.1.push(record);
    }

    fn plain(
        &mut self,
        thread: ThreadId,
        kind: SiteKind,
        width: u32,
        displacement: u32,
        base: u32,
    ) {
        let site = self.site(kind, width, displacement);
        self.record(thread, Record::new(base, site));
    }

    fn event(&mut self, thread: ThreadId, kind: EventKind) {
        self.flush();
        self.items.push(Item::Event(Event { thread, kind }));
    }

    /// An event of a host call, with the call around it.
    fn host(&mut self, thread: ThreadId, kind: EventKind) {
        self.plain(thread, SiteKind::Call, 0, 0, 0);
        self.event(thread, kind);
        self.plain(thread, SiteKind::Return, 0, 0, 0);
    }

    fn start(&mut self, thread: ThreadId) {
        self.threads.push(Thread {
            state: State::Ready,
            depth: 0,
            hidden: 0,
            held: Vec::new(),
        });
        self.event(thread, EventKind::ThreadStart);
    }
}

/// One stream.
pub(crate) fn generate(mut choices: Choices<'_>) -> Stream {
    let mut build = Builder {
        sites: SiteTable::default(),
        items: Vec::new(),
        pending: (ThreadId(0), Vec::new()),
        threads: Vec::new(),
        blocks: Vec::new(),
    };
    let main = ThreadId(0);
    build.start(main);
    // Most streams are about more than one thread.
    for child in 1..=choices.below(4) {
        build.host(
            main,
            EventKind::ThreadCreate {
                child: ThreadId(child),
            },
        );
        build.start(ThreadId(child));
    }
    let mut current = main;
    while !choices.done() {
        if choices.below(4) == 0 {
            let index = choices.below(build.threads.len() as u32);
            current = ThreadId(index);
        }
        step(&mut build, current, &mut choices);
    }
    build.flush();
    Stream {
        sites: Arc::new(build.sites),
        items: build.items,
    }
}

fn step(build: &mut Builder, thread: ThreadId, choices: &mut Choices<'_>) {
    let me = thread.0 as usize;
    match build.threads[me].state {
        State::Ended | State::Waiting(..) => return,
        State::Condvar(condvar, lock) => {
            let free = !build
                .threads
                .iter()
                .any(|t| t.held.iter().any(|&(l, _)| l == lock));
            if free && choices.below(3) == 0 {
                build.event(
                    thread,
                    EventKind::CondvarWake {
                        condvar,
                        lock,
                        timed_out: false,
                    },
                );
                build.threads[me].held.push((lock, LockMode::Exclusive));
                build.threads[me].state = State::Ready;
            } else {
                access(build, thread, choices);
            }
            return;
        }
        State::Hook(hook) => {
            if choices.below(2) == 0 {
                access(build, thread, choices);
                return;
            }
            let kind = match hook {
                Hook::Lock(lock, mode) => {
                    let free = build.threads.iter().all(|t| {
                        t.held.iter().all(|&(held, how)| {
                            held != lock || (how == LockMode::Shared && mode == LockMode::Shared)
                        })
                    });
                    if free {
                        build.threads[me].held.push((lock, mode));
                        EventKind::LockAcquire { lock, mode }
                    } else if choices.below(2) == 0 {
                        EventKind::LockFail { lock, mode }
                    } else {
                        return;
                    }
                }
                Hook::Unlock(lock) => EventKind::LockReleased { lock },
            };
            build.event(thread, kind);
            build.threads[me].state = State::Ready;
            return;
        }
        State::Ready => {}
    }
    match choices.below(64) {
        0..=35 => access(build, thread, choices),
        36..=39 => {
            let lock = LOCKS[choices.below(2) as usize];
            let mode = if choices.below(3) == 0 {
                LockMode::Shared
            } else {
                LockMode::Exclusive
            };
            if !build.threads[me].held.iter().any(|&(held, _)| held == lock) {
                build.event(
                    thread,
                    EventKind::LockRequest {
                        lock,
                        mode,
                        fallible: true,
                    },
                );
                build.threads[me].state = State::Hook(Hook::Lock(lock, mode));
            }
        }
        40..=44 => {
            if let Some((lock, mode)) = build.threads[me].held.pop() {
                build.event(thread, EventKind::LockRelease { lock, mode });
                build.threads[me].state = State::Hook(Hook::Unlock(lock));
            }
        }
        45 => {
            let held = build.threads[me]
                .held
                .iter()
                .rposition(|&(_, m)| m == LockMode::Exclusive);
            if let Some(index) = held {
                let (lock, _) = build.threads[me].held.remove(index);
                build.event(
                    thread,
                    EventKind::CondvarWait {
                        condvar: CONDVAR,
                        lock,
                    },
                );
                build.threads[me].state = State::Condvar(CONDVAR, lock);
            }
        }
        46 | 47 => {
            if build.threads.len() < 9 {
                let child = ThreadId(build.threads.len() as u32);
                build.host(thread, EventKind::ThreadCreate { child });
                build.start(child);
            }
        }
        48 => {
            if build.threads[me].held.is_empty() && choices.below(2) == 0 {
                build.event(thread, EventKind::ThreadExit(ThreadEnd::Returned));
                build.threads[me].state = State::Ended;
            }
        }
        49 | 50 => {
            let child = choices.below(build.threads.len() as u32);
            if build.threads[child as usize].state == State::Ended {
                build.host(
                    thread,
                    EventKind::ThreadJoin {
                        child: ThreadId(child),
                    },
                );
            }
        }
        51 => {
            let site = build.site(SiteKind::Atomic, 0, 0);
            build.event(thread, EventKind::Fence { site });
        }
        52 => {
            let (addr, width) = atomic_place(choices, 4);
            let site = build.site(SiteKind::Atomic, width.into(), 0);
            if choices.below(3) == 0 {
                let outcome = WaitOutcome::NotEqual;
                build.event(
                    thread,
                    EventKind::WaitEnd {
                        site,
                        addr,
                        width,
                        outcome,
                        by: None,
                    },
                );
            } else {
                build.event(thread, EventKind::WaitBegin { site, addr, width });
                build.threads[me].state = State::Waiting(site, addr);
            }
        }
        53..=55 => {
            let (addr, _) = atomic_place(choices, 4);
            let mut waiters: Vec<_> = (0..build.threads.len())
                .filter_map(|index| match build.threads[index].state {
                    State::Waiting(site, at) if at == addr => Some((index, site)),
                    _ => None,
                })
                .collect();
            waiters.truncate(choices.below(3) as usize);
            let site = build.site(SiteKind::Atomic, 0, 0);
            let woken = waiters.len() as u32;
            build.event(thread, EventKind::Notify { site, addr, woken });
            for (index, site) in waiters {
                let (outcome, by) = (WaitOutcome::Woken, Some(thread));
                let kind = EventKind::WaitEnd {
                    site,
                    addr,
                    width: 4,
                    outcome,
                    by,
                };
                build.event(ThreadId(index as u32), kind);
                build.threads[index].state = State::Ready;
            }
        }
        56 => {
            let object = OBJECTS[choices.below(2) as usize];
            let before = choices.below(2) == 0;
            let kind = if before {
                EventKind::HappensBefore { object }
            } else {
                EventKind::HappensAfter { object }
            };
            build.host(thread, kind);
        }
        57 => {
            let addr = place(choices);
            let size = choices.below(20).min(WINDOW.end - addr);
            build.host(thread, EventKind::Alloc { addr, size });
            build.blocks.push(addr);
        }
        58 => {
            let index = choices.below(build.blocks.len().max(1) as u32) as usize;
            if index < build.blocks.len() {
                let addr = build.blocks.swap_remove(index);
                build.host(thread, EventKind::Free { addr });
            }
        }
        59 => {
            if choices.below(4) == 0 {
                let addr = place(choices);
                build.event(
                    thread,
                    EventKind::BenignRace {
                        addr,
                        len: 1 + choices.below(6),
                    },
                );
            }
        }
        60 | 61 => {
            build.threads[me].depth += 1;
            build.plain(thread, SiteKind::Call, 0, 0, 0);
        }
        62 => {
            if build.threads[me].depth > 0 {
                build.threads[me].depth -= 1;
                build.plain(thread, SiteKind::Return, 0, 0, 0);
            }
        }
        _ => {
            let begin = build.threads[me].hidden == 0 || choices.below(3) == 0;
            build.threads[me].hidden = if begin {
                build.threads[me].hidden + 1
            } else {
                build.threads[me].hidden - 1
            };
            build.event(
                thread,
                if begin {
                    EventKind::HideBegin
                } else {
                    EventKind::HideEnd
                },
            );
        }
    }
}

fn place(choices: &mut Choices<'_>) -> u32 {
    WINDOW.start + choices.below(WINDOW.end - WINDOW.start)
}

fn atomic_place(choices: &mut Choices<'_>, width: u32) -> (u32, u8) {
    // Few places, so that threads meet.
    let places = (WINDOW.end - WINDOW.start).min(16) / width;
    (WINDOW.start + choices.below(places) * width, width as u8)
}

fn access(build: &mut Builder, thread: ThreadId, choices: &mut Choices<'_>) {
    let write = choices.below(2) == 0;
    match choices.below(16) {
        0..=9 => {
            let width = [1, 2, 4, 4, 8, 8, 16, 4][choices.below(8) as usize];
            let addr = if choices.below(2) == 0 {
                WINDOW.start + 4
            } else {
                place(choices)
            };
            let displacement = if choices.below(4) == 0 { 12 } else { 0 };
            let kind = if write {
                SiteKind::Write
            } else {
                SiteKind::Read
            };
            build.plain(thread, kind, width, displacement, addr - displacement);
            if choices.below(4) == 0 {
                build.flush();
            }
        }
        10..=13 => {
            let width = [1, 2, 4, 4, 8][choices.byte() as usize % 5];
            let (addr, width) = atomic_place(choices, width);
            let site = build.site(SiteKind::Atomic, width.into(), 0);
            let kind = [
                AtomicKind::Load,
                AtomicKind::Store,
                AtomicKind::ReadModifyWrite,
            ][choices.below(3) as usize];
            build.event(
                thread,
                EventKind::Atomic {
                    site,
                    addr,
                    width,
                    kind,
                },
            );
        }
        14 => {
            let addr = place(choices);
            let len = choices.below(20);
            let site = build.site(SiteKind::Bulk, 0, 0);
            let origin = RangeOrigin::Bulk(site);
            build.event(
                thread,
                EventKind::Range {
                    origin,
                    addr,
                    len,
                    write,
                },
            );
        }
        _ => {
            let (addr, len) = (place(choices), choices.below(20));
            build.host(
                thread,
                EventKind::Range {
                    origin: RangeOrigin::Host,
                    addr,
                    len,
                    write,
                },
            );
        }
    }
}

/// A generator of bytes: splitmix64.
pub(crate) fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        out.extend((word ^ word >> 31).to_le_bytes());
    }
    out.truncate(len);
    out
}
