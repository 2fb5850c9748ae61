//! A trace of grind as the events that the offline analyses eat.
//!
//! | in the trace | to the analyses |
//! |---|---|
//! | plain access | a read or write of each cell |
//! | atomic store, load | the same of each cell; where plain accesses touch it too, also an atomic write or read of it |
//! | end of a heap block | a write of each cell |
//! | exclusive lock | acquire, release (where it was released before a lock that was taken later: wait and notify of a condition); of a lock that is a word in memory, also an atomic write of it |
//! | shared lock | conditions: readers wait for the last writer's release, writers for the readers' |
//! | futex, barrier, annotation | notify and wait of a condition |
//! | condition variable, failed attempt to take a lock | notify and need of a condition |
//! | creation, join | fork, join |
//! | allocation | its bytes become new variables and locks |
//! | a lock's end or beginning | another lock from then on, unless a thread has it |
//!
//! What a schedule has to keep but is no synchronisation, as between two readers' releases, from a notification of a condition
//! variable to whoever it woke, and from taking a lock to a failed attempt, `hb` is not told: it has the order of live detection.
//!
//! **Cost**: memory by locks and conditions, and 4 bytes per byte of each 256 that have variables; not by the length of the
//! trace.

use crate::detect::Limits;
use crate::detect::races::benign::BenignRanges;
use crate::model::sites::SiteId;
use crate::model::{AtomicKind, ThreadId};
use crate::predict::algorithms::event::{MAX_LOCKS, MAX_THREADS, MAX_VARIABLES};
use crate::predict::algorithms::well_formed::Problem;
use crate::predict::algorithms::{Event, Op, ReadError, Source};
use crate::predict::translate::analyses::OfflineError;
use crate::predict::translate::paged::Paged;
use crate::predict::translate::shape::{Cell, Shape};
use crate::predict::translate::visible::{At, Condition, Step, Visible};
use crate::trace::{Detail, TraceEnd, TraceError, TraceReader};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::hash::Hash;
use std::io::Read;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ConditionKey {
    Of(Condition),
    Atomic(u32),
    /// Writers' releases of a shared lock.
    Writers(u32),
    /// Readers' releases of a shared lock.
    Readers(u32),
}

/// Dense numbers of variables, in order of first occurrence.
#[derive(Debug, Default)]
struct Variables {
    /// By address of the first byte: the number, plus 1.
    numbers: Paged<u32, PAGE>,
    next: u32,
}

/// Addresses of a page. Variables come in clusters, but few of a guest's pages of 4 KiB are full of them.
const PAGE: usize = 1 << 8;

impl Variables {
    #[inline]
    fn of(&mut self, addr: u32) -> Result<u32, (u32, &'static str)> {
        let number = self.numbers.get_mut(addr);
        if *number == 0 {
            if self.next >= MAX_VARIABLES {
                return Err((MAX_VARIABLES, "variables"));
            }
            self.next += 1;
            *number = self.next;
        }
        Ok(*number - 1)
    }

    /// What is there gets another number from here on.
    fn renew(&mut self, addr: u32) {
        if self.numbers.get(addr) != 0 {
            *self.numbers.get_mut(addr) = 0;
        }
    }
}

/// Dense numbers of what is rarer, in order of first occurrence.
#[derive(Debug)]
struct Numbers<K> {
    numbers: FxHashMap<K, u32>,
    keys: Vec<K>,
    limit: (u32, &'static str),
}

impl<K: Eq + Hash + Copy> Numbers<K> {
    fn new(limit: u32, what: &'static str) -> Self {
        Numbers {
            numbers: FxHashMap::default(),
            keys: Vec::new(),
            limit: (limit, what),
        }
    }

    fn of(&mut self, key: K) -> Result<u32, (u32, &'static str)> {
        let next = self.keys.len() as u32;
        if let Some(&number) = self.numbers.get(&key) {
            return Ok(number);
        }
        if next >= self.limit.0 {
            return Err(self.limit);
        }
        self.numbers.insert(key, next);
        self.keys.push(key);
        Ok(next)
    }

    /// About how many bytes it takes.
    fn bytes(&self) -> u64 {
        let entries = self.numbers.capacity() * size_of::<(K, u32)>();
        (entries + self.keys.capacity() * size_of::<K>()) as u64
    }

    /// The number of a key that has one.
    fn known(&self, key: K) -> Option<u32> {
        self.numbers.get(&key).copied()
    }

    /// The key gets another number from here on.
    fn renew(&mut self, key: K) {
        self.numbers.remove(&key);
    }
}

/// What the events' operands are.
#[derive(Debug)]
struct Names {
    variables: Variables,
    /// By address.
    locks: Numbers<u32>,
    /// Where there are locks of the guest.
    lock_addrs: BTreeSet<u32>,
    /// Their numbers, while threads have them.
    held: FxHashSet<u32>,
    conditions: Numbers<ConditionKey>,
}

impl Names {
    /// Another lock has this address from now on; not while a thread has it, for that will release it.
    fn end_lock(&mut self, lock: u32) {
        if (self.locks.known(lock)).is_some_and(|number| !self.held.contains(&number)) {
            self.locks.renew(lock);
            self.lock_addrs.remove(&lock);
        }
    }
}

/// A trace as events, as it is given to the offline analyses.
pub struct Translation<R: Read>(SyncSource<R>);

impl<R: Read> Translation<R> {
    /// Reads the trace once to learn which memory matters, and is then ready to translate it.
    ///
    /// # Errors
    /// Those of reading it, and [`OfflineError::Light`] if it has no accesses.
    pub fn new(
        mut open: impl FnMut() -> Result<TraceReader<R>, TraceError>,
    ) -> Result<Self, OfflineError> {
        let reader = open()?;
        if reader.header().detail == Detail::Light {
            return Err(OfflineError::Light("this"));
        }
        let shape = Shape::of(Visible::learning(reader))?.any_nesting();
        Ok(Translation(SyncSource::new(
            open()?,
            Arc::new(shape),
            false,
        )))
    }
}

impl<R: Read> Source for Translation<R> {
    fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        self.0.next_event()
    }
}

/// A trace as events.
pub(in crate::predict) struct SyncSource<R: Read> {
    trace: Visible<R>,
    shape: Arc<Shape>,
    output: Output,
    /// Events of the output that [`Source::next_event`] gave.
    given: usize,
    /// What comes after the events of the output, if not more of them.
    end: Option<Result<(), ReadError>>,
}

/// What was translated.
struct Output {
    names: Names,
    /// Where races are wanted, and the variables that are there.
    benign: BenignRanges,
    benign_variables: FxHashSet<u32>,
    events: Vec<Event>,
    /// Those of them, by index, that are acquires which wait for nobody.
    tried: Vec<u32>,
    /// Events that were dropped from `events`.
    dropped: u64,
    /// What is left of an access that is translated piece by piece.
    rest: Option<Rest>,
    too_many: Option<ReadError>,
}

/// A part of an access.
#[derive(Clone, Copy, Debug)]
struct Rest {
    at: Doer,
    op: Op,
    addr: u64,
    end: u64,
    /// Events that all of the access will be.
    events: u64,
}

/// Bytes of an access that are translated at once.
const PIECE: u64 = 1 << 16;

/// Events, one after the other.
#[derive(Clone, Copy, Debug)]
pub(in crate::predict) struct Batch<'a> {
    pub(in crate::predict) events: &'a [Event],
    tried: &'a [u32],
}

impl Batch<'_> {
    /// Each event, and whether it is an acquire that waits for nobody.
    pub(in crate::predict) fn with_tried(&self) -> impl Iterator<Item = (Event, bool)> {
        let mut tried = self.tried.iter().copied().peekable();
        let events = (0_u32..).zip(self.events);
        events.map(move |(index, &event)| (event, tried.next_if_eq(&index).is_some()))
    }
}

/// Events that are worth looking at together.
const BATCH: usize = 1 << 10;

impl<R: Read> SyncSource<R> {
    pub(in crate::predict) fn new(reader: TraceReader<R>, shape: Arc<Shape>, stacks: bool) -> Self {
        SyncSource {
            trace: Visible::new(reader, Arc::clone(shape.locks()), stacks),
            shape,
            output: Output {
                names: Names {
                    variables: Variables::default(),
                    locks: Numbers::new(MAX_LOCKS, "locks"),
                    lock_addrs: BTreeSet::new(),
                    held: FxHashSet::default(),
                    conditions: Numbers::new(MAX_LOCKS, "conditions"),
                },
                benign: BenignRanges::new(Limits::default().annotations),
                benign_variables: FxHashSet::default(),
                events: Vec::new(),
                tried: Vec::new(),
                dropped: 0,
                rest: None,
                too_many: None,
            },
            given: 0,
            end: None,
        }
    }

    /// The addresses of locks, by number.
    pub(in crate::predict) fn locks(&self) -> &[u32] {
        &self.output.names.locks.keys
    }

    /// The error with addresses of locks rather than their numbers.
    pub(in crate::predict) fn named(&self, error: ReadError) -> ReadError {
        let ReadError::Malformed(mut violation) = error else {
            return error;
        };
        let address = |lock: &mut u32| {
            if let Some(&address) = self.locks().get(*lock as usize) {
                *lock = address;
            }
        };
        if matches!(violation.event.op, Op::Acquire | Op::Release) {
            address(&mut violation.event.operand);
        }
        match &mut violation.problem {
            Problem::NotNested { innermost: lock } | Problem::JoinedHolding { lock } => {
                address(lock)
            }
            _ => {}
        }
        ReadError::Malformed(violation)
    }

    /// Whether races on the variable are wanted. It is a variable all the same, for what is read from it may decide what a
    /// thread does next.
    pub(in crate::predict) fn is_benign(&self, variable: u32) -> bool {
        self.output.benign_variables.contains(&variable)
    }

    /// What the thread was called last.
    pub(in crate::predict) fn thread_name(&self, thread: ThreadId) -> Option<&String> {
        self.trace.thread_name(thread)
    }

    /// Whether the trace was read to an end that is none.
    pub(in crate::predict) fn truncated(&self) -> bool {
        matches!(self.trace.reader().end(), Some(TraceEnd::Truncated))
    }

    /// About how many bytes it takes, without the shape.
    pub(in crate::predict) fn bytes(&self) -> u64 {
        let names = &self.output.names;
        names.variables.numbers.bytes() + names.locks.bytes() + names.conditions.bytes()
    }

    /// Bytes of the file that were read.
    pub(in crate::predict) fn position(&self) -> u64 {
        self.trace.reader().position()
    }

    /// Translates the next entry. `look` sees each step, the number of its first event, and how many it has. False at
    /// the end.
    pub(in crate::predict) fn advance(
        &mut self,
        mut look: impl FnMut(&At<'_>, &Step, u64, u64),
    ) -> Result<bool, ReadError> {
        let SyncSource {
            trace,
            shape,
            output,
            ..
        } = self;
        let went = match output.rest {
            Some(rest) => {
                output.go_on(shape, rest);
                true
            }
            None => {
                let went = trace.next(|at, step| {
                    let first = output.next_number();
                    output.step(shape, at.thread, at.site, step);
                    let events = output.rest.map_or(0, |rest| rest.events);
                    look(&at, &step, first, output.next_number() + events - first);
                });
                went.map_err(read_error)?
            }
        };
        match output.too_many.take() {
            Some(error) => Err(error),
            None => Ok(went),
        }
    }

    /// Drops translated events that nobody reads.
    pub(in crate::predict) fn skip(&mut self) {
        self.output.dropped += self.output.events.len() as u64;
        self.output.events.clear();
        self.output.tried.clear();
        self.given = 0;
    }

    /// The next events; none at the end, also when asked again. An error comes after the events before it.
    pub(in crate::predict) fn next_events(&mut self) -> Result<Option<Batch<'_>>, ReadError> {
        self.skip();
        while self.output.events.len() < BATCH && self.end.is_none() {
            match self.advance(|_, _, _, _| {}) {
                Ok(true) => {}
                Ok(false) => self.end = Some(Ok(())),
                Err(error) => self.end = Some(Err(error)),
            }
        }
        if self.output.events.is_empty()
            && let Some(end) = self.end.replace(Ok(()))
        {
            return end.map(|()| None);
        }
        Ok(Some(Batch {
            events: &self.output.events,
            tried: &self.output.tried,
        }))
    }
}

fn read_error(error: TraceError) -> ReadError {
    match error {
        TraceError::Io(error) => ReadError::Io(error),
        other => ReadError::Io(std::io::Error::other(other)),
    }
}

impl<R: Read> Source for SyncSource<R> {
    fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        if self.given == self.output.events.len() && self.next_events()?.is_none() {
            return Ok(None);
        }
        self.given += 1;
        Ok(Some(self.output.events[self.given - 1]))
    }
}

/// By whom, and where.
type Doer = (ThreadId, Option<SiteId>);

impl Output {
    fn next_number(&self) -> u64 {
        self.dropped + self.events.len() as u64 + 1
    }

    #[inline]
    fn push(&mut self, op: Op, (thread, site): Doer, operand: u32) {
        let other = match op {
            Op::Fork | Op::Join => operand,
            _ => 0,
        };
        if thread.0.max(other) >= MAX_THREADS {
            return self.refuse((MAX_THREADS, "threads"));
        }
        self.events.push(Event {
            op,
            thread: thread.0,
            operand,
            location: site.map_or(0, |site| site.0),
        });
    }

    #[inline]
    fn numbered(&mut self, op: Op, at: Doer, number: Result<u32, (u32, &'static str)>) {
        match number {
            Ok(number) => self.push(op, at, number),
            Err(limit) => self.refuse(limit),
        }
    }

    /// There is too much of something.
    #[cold]
    fn refuse(&mut self, (limit, what): (u32, &'static str)) {
        let event = self.next_number();
        self.too_many = Some(ReadError::TooMany { event, what, limit });
    }

    fn condition(&mut self, op: Op, at: Doer, key: ConditionKey) {
        let number = self.names.conditions.of(key);
        self.numbered(op, at, number);
    }

    #[inline]
    fn variable(&mut self, op: Op, at: Doer, cell: Cell) {
        let number = self.names.variables.of(cell.addr);
        if let (true, Ok(number)) = (self.benign.contains(cell.addr), number) {
            self.benign_variables.insert(number);
        }
        self.numbered(op, at, number);
    }

    #[inline(always)]
    fn step(&mut self, shape: &Shape, thread: ThreadId, site: Option<SiteId>, step: Step) {
        let at = (thread, site);
        let Step::Access { addr, len, write } = step else {
            return self.other(shape, at, step);
        };
        let op = if write { Op::Write } else { Op::Read };
        if u64::from(len) > PIECE {
            let mut events = 0;
            shape.cells(addr, len, |cell| events += u64::from(cell.variable));
            // An event of the trace with a long access has no other step.
            self.rest = Some(Rest {
                at,
                op,
                addr: addr.into(),
                end: (u64::from(addr) + u64::from(len)).min(1 << 32),
                events,
            });
            return;
        }
        shape.cells(addr, len, |cell| {
            if cell.variable {
                self.variable(op, at, cell);
            }
        });
    }

    /// Translates the next piece of a long access.
    fn go_on(&mut self, shape: &Shape, rest: Rest) {
        // A piece ends where a page of bytes does, so that no cell is in two.
        let end = ((rest.addr / PIECE + 1) * PIECE).min(rest.end);
        shape.cells(rest.addr as u32, (end - rest.addr) as u32, |cell| {
            if cell.variable {
                self.variable(rest.op, rest.at, cell);
            }
        });
        self.rest = (end < rest.end).then_some(Rest { addr: end, ..rest });
    }

    /// What is no plain access: not worth to be inlined where those are.
    fn other(&mut self, shape: &Shape, at: Doer, step: Step) {
        match step {
            Step::Atomic { addr, len, kind } => {
                shape.cells(addr, len, |cell| {
                    if cell.atomic {
                        self.atomic(at, cell, kind);
                    }
                });
            }
            Step::Acquire {
                lock,
                shared,
                fallible,
            } => {
                if !shared {
                    if fallible {
                        self.tried.push(self.events.len() as u32);
                    }
                    self.take(shape, at, lock);
                }
                if shape.is_shared(lock) {
                    self.condition(Op::Wait, at, ConditionKey::Writers(lock));
                    if !shared {
                        self.condition(Op::Wait, at, ConditionKey::Readers(lock));
                    }
                }
            }
            Step::Release { lock, shared } => {
                if shared {
                    // A writer waits for all readers, not for the last one only.
                    self.condition(Op::Needs, at, ConditionKey::Readers(lock));
                    self.condition(Op::Notify, at, ConditionKey::Readers(lock));
                } else {
                    if shape.is_shared(lock) {
                        self.condition(Op::Notify, at, ConditionKey::Writers(lock));
                    }
                    self.leave(shape, at, lock);
                }
            }
            Step::LockAccess { addr, len } => {
                shape.cells(addr, len, |cell| {
                    if cell.variable {
                        self.variable(Op::AtomicWrite, at, cell);
                    }
                });
            }
            Step::LockEnd(lock) => self.names.end_lock(lock),
            Step::Signal(condition) => self.condition(Op::Notify, at, ConditionKey::Of(condition)),
            Step::Await(condition) => self.condition(Op::Wait, at, ConditionKey::Of(condition)),
            Step::Needs(condition) => self.condition(Op::Needs, at, ConditionKey::Of(condition)),
            Step::Fork(child) => self.push(Op::Fork, at, child.0),
            Step::Join(child) => self.push(Op::Join, at, child.0),
            Step::New { addr, len } => {
                shape.cells(addr, len, |cell| {
                    self.names.variables.renew(cell.addr);
                    self.names.conditions.renew(ConditionKey::Atomic(cell.addr));
                });
                self.benign.remove(addr, len);
                let within = self.names.lock_addrs.range(addr..addr.saturating_add(len));
                let ended: SmallVec<[u32; 4]> = within.copied().collect();
                for lock in ended {
                    self.names.end_lock(lock);
                }
            }
            Step::Benign { addr, len } => self.benign.add(addr, len),
            Step::Free { addr, len } => {
                let write = true;
                self.step(shape, at.0, at.1, Step::Access { addr, len, write });
            }
            Step::Access { .. } | Step::End => {}
        }
    }

    /// Takes a lock exclusively.
    fn take(&mut self, shape: &Shape, at: Doer, lock: u32) {
        if shape.is_ordered(lock) {
            return self.condition(Op::Wait, at, ConditionKey::Writers(lock));
        }
        let before = self.names.locks.keys.len();
        let number = self.names.locks.of(lock);
        if self.names.locks.keys.len() > before {
            self.names.lock_addrs.insert(lock);
        }
        self.names.held.extend(number);
        self.numbered(Op::Acquire, at, number);
    }

    /// Releases what [`Output::take`] took: as many events, and there is one, whatever the shape says.
    fn leave(&mut self, shape: &Shape, at: Doer, lock: u32) {
        if shape.is_ordered(lock) {
            return self.condition(Op::Notify, at, ConditionKey::Writers(lock));
        }
        let number = self.names.locks.of(lock);
        if let Ok(number) = &number {
            self.names.held.remove(number);
        }
        self.numbered(Op::Release, at, number);
    }

    fn atomic(&mut self, at: Doer, cell: Cell, kind: AtomicKind) {
        let key = ConditionKey::Atomic(cell.addr);
        if kind != AtomicKind::Store {
            self.condition(Op::Load, at, key);
        }
        if cell.variable {
            let op = if kind == AtomicKind::Load {
                Op::AtomicRead
            } else {
                Op::AtomicWrite
            };
            self.variable(op, at, cell);
        }
        if kind != AtomicKind::Load {
            self.condition(Op::Store, at, key);
        }
    }
}
