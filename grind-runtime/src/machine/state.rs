//! The machine's half of a run: threads, time, the scheduler and the sink. Knows nothing of the engine.

use super::clock::Clock;
use super::control::Control;
use super::futex::Futexes;
use super::io::HostIo;
use super::limits::{LimitReached, Limits, TOTAL_THREADS};
use super::ops::{self, Op, Reply};
use super::thread::{Block, Entry, Status, Thread, TlsLayout};
use super::{Ending, MachineConfig, Trap, TrapReport};
use crate::program::imports::ThreadAbi;
use crate::program::sites::{SiteId, SiteKind, SiteTable};
use crate::program::{Program, RING_END};
use crate::schedule::{Point, PointKind, Scheduler, Slice};
use crate::trace::{Event, EventKind, EventSink, Flow, Record, ThreadEnd, ThreadId, WaitOutcome};
use std::collections::BTreeSet;
use std::sync::Arc;
use threadlink::abi::Errno;

/// Ring slots handed out at most at a time.
const RING_SLOTS: u32 = RING_END / 8;

/// Everything of a run but the engine.
pub(super) struct State {
    pub(super) sites: Arc<SiteTable>,
    pub(super) threads: Vec<Thread>,
    pub(super) current: ThreadId,
    runnable: Vec<ThreadId>,
    pub(super) futexes: Futexes,
    pub(super) clock: Clock,
    pub(super) scheduler: Box<dyn Scheduler>,
    /// Records left of the current slice.
    remaining: u32,
    pub(super) sink: Box<dyn EventSink>,
    pub(super) io: Box<dyn HostIo>,
    pub(super) args: Vec<Vec<u8>>,
    pub(super) env: Vec<Vec<u8>>,
    pub(super) limits: Limits,
    pub(super) limits_reached: BTreeSet<LimitReached>,
    pub(super) shared_memory: bool,
    /// A trap in any thread ends the run (wasi-threads).
    pub(super) trap_ends_all: bool,
    /// Thread-local storage of the module, where the host has to set it up (Wasmgrind guests).
    pub(super) tls_layout: Option<TlsLayout>,
    pub(super) traps: Vec<TrapReport>,
    pub(super) ending: Option<Ending>,
    pub(super) control: Arc<Control>,
    batch: Vec<Record>,
    pub(super) records: u64,
    pub(super) events: u64,
}

/// Where a drain stops.
#[derive(Clone, Copy, Debug)]
pub(super) enum Filled {
    /// Every slot is used.
    All,
    /// The next slot to be used is this one.
    UpTo(u32),
    /// Unknown: a free slot is all zero.
    Scan,
}

/// What the engine does after it asked for an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Return this to the guest.
    Value(u64),
    /// Suspend the thread.
    Suspend,
    /// Suspend the thread, and run this export on it before it goes on with `Status::Ready`.
    Call {
        export: &'static str,
        args: Vec<u32>,
    },
    /// End the thread.
    Trap(Trap),
    /// End the run.
    Stop,
}

impl State {
    pub(super) fn new(program: &Program, config: MachineConfig, entry: String) -> State {
        State {
            sites: Arc::clone(program.sites()),
            threads: vec![Thread::new(Entry {
                export: entry,
                args: Vec::new(),
                stack: None,
            })],
            current: ThreadId(0),
            runnable: vec![ThreadId(0)],
            futexes: Futexes::default(),
            clock: Clock::default(),
            scheduler: config.scheduler,
            remaining: 0,
            sink: config.sink,
            io: config.io,
            args: config.args,
            env: config.env,
            limits: config.limits,
            limits_reached: BTreeSet::new(),
            shared_memory: program.info().memory.is_some_and(|memory| memory.shared),
            trap_ends_all: ThreadAbi::of(program.info()).any(|abi| abi == ThreadAbi::WasiThreads),
            tls_layout: None,
            traps: Vec::new(),
            ending: None,
            control: config.control,
            batch: Vec::with_capacity(RING_SLOTS as usize),
            records: 0,
            events: 0,
        }
    }

    pub(super) fn thread(&self) -> &Thread {
        &self.threads[self.current.0 as usize]
    }

    pub(super) fn thread_mut(&mut self) -> &mut Thread {
        &mut self.threads[self.current.0 as usize]
    }

    pub(super) fn get(&self, thread: ThreadId) -> Option<&Thread> {
        self.threads.get(thread.0 as usize)
    }

    /// Emits an event of the current thread.
    pub(super) fn emit(&mut self, kind: EventKind) {
        self.emit_for(self.current, kind);
    }

    fn emit_for(&mut self, thread: ThreadId, kind: EventKind) {
        self.events += 1;
        if self.sink.event(&Event { thread, kind }) == Flow::Halt {
            self.end(Ending::Halted);
        }
    }

    /// The run ends; the first reason counts.
    pub(super) fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    fn stopping(&mut self) -> bool {
        if self.control.stop_requested() {
            self.end(Ending::TimedOut);
        }
        self.ending.is_some()
    }

    // ---- the ring ------------------------------------------------------------------------------

    /// Hands the current thread its next slots; returns the address of the first.
    pub(super) fn next_slot(&mut self) -> u32 {
        let slots = self.remaining.clamp(1, RING_SLOTS);
        let slot = RING_END - 8 * slots;
        self.thread_mut().slot = slot;
        slot
    }

    /// Takes the current thread's records, leaves their slots zero.
    pub(super) fn drain(&mut self, ring: &mut [u8], filled: Filled) {
        let from = self.thread().slot;
        let unread = &mut ring[from as usize..RING_END as usize];
        let used = match filled {
            Filled::All => unread.len(),
            Filled::UpTo(slot) => slot.saturating_sub(from) as usize,
            Filled::Scan => {
                let records = unread.as_chunks::<8>().0.iter();
                8 * records.take_while(|record| **record != [0; 8]).count()
            }
        };
        if used == 0 {
            return;
        }
        let used = &mut unread[..used];
        let records = used.as_chunks::<8>().0;
        let count = records.len() as u32;
        self.batch.clear();
        self.batch.extend(
            records
                .iter()
                .map(|bytes| Record(u64::from_le_bytes(*bytes))),
        );
        used.fill(0);
        self.thread_mut().slot = from + 8 * count;
        self.remaining = self.remaining.saturating_sub(count);
        self.clock.records(u64::from(count));
        self.records += u64::from(count);
        self.control.count_records(u64::from(count));
    }

    /// Hands the drained records to the sink.
    pub(super) fn deliver(&mut self) {
        if !self.batch.is_empty() {
            if self.sink.records(self.current, &self.batch) == Flow::Halt {
                self.end(Ending::Halted);
            }
            self.batch.clear();
        }
    }

    // ---- scheduling ----------------------------------------------------------------------------

    /// The ring is full or the slice used up.
    pub(super) fn drained(&mut self) -> Verdict {
        if self.stopping() {
            return Verdict::Stop;
        }
        if self.remaining == 0 && self.switches_away(PointKind::Expired, &Op::Drained) {
            return Verdict::Suspend;
        }
        Verdict::Value(u64::from(self.next_slot()))
    }

    /// The current thread asks for an operation.
    pub(super) fn request(&mut self, memory: &mut [u8], op: Op) -> Verdict {
        if self.stopping() {
            return Verdict::Stop;
        }
        self.clock.call();
        if op.is_sync() && self.switches_away(PointKind::Sync, &op) {
            return Verdict::Suspend;
        }
        self.perform(memory, op)
    }

    /// Carries an operation of the current thread out; its turn has come.
    pub(super) fn perform(&mut self, memory: &mut [u8], op: Op) -> Verdict {
        let thread = self.current;
        let reply = ops::execute(self, memory, op);
        if self.ending.is_some() {
            return Verdict::Stop;
        }
        match reply {
            Reply::Value(value) => Verdict::Value(value),
            Reply::Yield(value) => {
                if self.switches_away(PointKind::Yield, &Op::Value(value)) {
                    Verdict::Suspend
                } else {
                    Verdict::Value(value)
                }
            }
            Reply::Block(on, deadline) => {
                self.thread_mut().status = Status::Blocked { on, deadline };
                self.runnable.retain(|&t| t != thread);
                if let Some(deadline) = deadline {
                    self.clock.arm(deadline, thread);
                }
                self.reschedule();
                Verdict::Suspend
            }
            Reply::Call {
                export,
                args,
                then,
                then_args,
            } => {
                self.thread_mut().status = Status::Ready(Op::Host {
                    function: then,
                    args: then_args,
                });
                Verdict::Call { export, args }
            }
            Reply::Trap(trap) => Verdict::Trap(trap),
            Reply::Exit(code) => {
                self.end(Ending::Exited(code));
                Verdict::Stop
            }
        }
    }

    /// Asks the scheduler; `current` and its slice are new afterwards.
    pub(super) fn point(&mut self, kind: PointKind) {
        self.wake_expired();
        let current = (kind != PointKind::Blocked).then_some(self.current);
        let slice = self.scheduler.next(&Point {
            kind,
            current,
            remaining: self.remaining,
            runnable: &self.runnable,
        });
        debug_assert!(self.runnable.contains(&slice.thread));
        let Slice { thread, records } = slice;
        self.current = thread;
        self.remaining = records;
    }

    /// Asks the scheduler; if it picks another thread, the current one will go on with `op`.
    fn switches_away(&mut self, kind: PointKind, op: &Op) -> bool {
        let before = self.current;
        self.point(kind);
        let switched = self.current != before;
        if switched {
            self.threads[before.0 as usize].status = Status::Ready(op.clone());
        }
        switched
    }

    /// The current thread cannot go on: picks another, waits for the clock, or finds a deadlock.
    pub(super) fn reschedule(&mut self) {
        if self.ending.is_some() {
            return;
        }
        self.wake_expired();
        while self.runnable.is_empty() {
            if !self.clock.jump() {
                return self.deadlock();
            }
            self.wake_expired();
        }
        self.point(PointKind::Blocked);
    }

    fn deadlock(&mut self) {
        let blocked: Vec<_> = (0..)
            .map(ThreadId)
            .zip(&self.threads)
            .filter_map(|(id, thread)| Some((id, thread.blocked_forever()?)))
            .collect();
        let Some(&(first, _)) = blocked.first() else {
            // Every thread ended, the main one included, and yet the run goes on: a defect of ours.
            unreachable!("no thread is left to run or to wait");
        };
        self.emit_for(first, EventKind::Deadlock { blocked });
        self.end(Ending::Deadlock);
    }

    fn wake_expired(&mut self) {
        while let Some(thread) = self.clock.expired() {
            let Status::Blocked { on, .. } = self.threads[thread.0 as usize].status else {
                continue;
            };
            match on {
                Block::Futex { addr, .. } => {
                    self.futexes.forget(addr, thread);
                    self.end_wait(thread, WaitOutcome::TimedOut, None);
                }
                Block::Sleep => self.make_ready(thread, Op::Value(0)),
                Block::Join { .. } => {}
            }
        }
    }

    /// A thread that waited on a futex can go on.
    pub(super) fn end_wait(
        &mut self,
        thread: ThreadId,
        outcome: WaitOutcome,
        by: Option<ThreadId>,
    ) {
        let Status::Blocked {
            on: Block::Futex { site, addr, width },
            deadline,
        } = self.threads[thread.0 as usize].status
        else {
            return;
        };
        if let Some(deadline) = deadline {
            self.clock.disarm(deadline, thread);
        }
        self.make_ready(
            thread,
            Op::Waited {
                site,
                addr,
                width,
                outcome,
                by,
            },
        );
    }

    fn make_ready(&mut self, thread: ThreadId, op: Op) {
        self.threads[thread.0 as usize].status = Status::Ready(op);
        if let Err(at) = self.runnable.binary_search(&thread) {
            self.runnable.insert(at, thread);
        }
    }

    /// The engine's fuel ran out in the current thread: it made `nanoseconds` worth of steps.
    pub(super) fn refuel(&mut self, nanoseconds: u64) {
        self.clock.work(nanoseconds);
        if !self.stopping() {
            self.remaining = 0;
            self.switches_away(PointKind::Expired, &Op::Refuelled);
        }
    }

    // ---- threads -------------------------------------------------------------------------------

    /// Creates a thread that is ready to run.
    pub(super) fn spawn(&mut self, entry: Entry) -> Result<ThreadId, Errno> {
        let alive = self.threads.iter().filter(|thread| !thread.ended()).count();
        if alive >= self.limits.threads as usize || self.threads.len() >= TOTAL_THREADS as usize {
            self.limits_reached.insert(LimitReached::Threads);
            return Err(Errno::TooManyThreads);
        }
        let child = ThreadId(self.threads.len() as u32);
        self.threads.push(Thread::new(entry));
        self.runnable.push(child);
        self.emit(EventKind::ThreadCreate { child });
        Ok(child)
    }

    /// The main thread is about to make another call of its own.
    pub(super) fn revive_main(&mut self) {
        self.ending = None;
        self.current = ThreadId(0);
        self.make_ready(ThreadId(0), Op::Start);
        self.point(PointKind::Blocked);
        self.current = ThreadId(0);
    }

    /// The current thread's entry returned.
    pub(super) fn returned(&mut self) {
        self.emit(EventKind::ThreadExit(ThreadEnd::Returned));
        self.ended(Status::Returned);
        if self.current == ThreadId(0) {
            self.end(Ending::Returned);
        }
        self.reschedule();
    }

    /// The current thread trapped.
    pub(super) fn trapped(&mut self, trap: Trap, memory_len: usize) {
        let thread = self.current;
        let site = self.trap_site(&trap, memory_len);
        self.deliver();
        self.emit(EventKind::ThreadExit(ThreadEnd::Trapped {
            reason: trap.to_string(),
            site,
        }));
        self.traps.push(TrapReport { thread, trap, site });
        self.ended(Status::Trapped);
        if thread == ThreadId(0) || self.trap_ends_all {
            self.end(Ending::Trapped);
        }
        self.reschedule();
    }

    /// Where a trap happened, as far as the records tell. An access that trapped has a record although
    /// it did not happen: that record is taken back.
    fn trap_site(&mut self, trap: &Trap, memory_len: usize) -> Option<SiteId> {
        if let Some(site) = self.thread_mut().trap_site.take() {
            return Some(site);
        }
        let record = *self.batch.last()?;
        let site = self.sites.packed(record.site());
        let kind = site.kind();
        if kind == SiteKind::Trap as u8 {
            return Some(record.site());
        }
        let end =
            u64::from(record.base()) + u64::from(site.displacement()) + u64::from(site.width());
        let access = kind == SiteKind::Read as u8 || kind == SiteKind::Write as u8;
        if *trap == Trap::OutOfBounds && access && end > memory_len as u64 {
            self.batch.pop();
            return Some(record.site());
        }
        None
    }

    fn ended(&mut self, status: Status) {
        let thread = self.current;
        self.thread_mut().status = status;
        self.runnable.retain(|&t| t != thread);
        self.control.thread_ended();
        let joiners: Vec<ThreadId> = (0..)
            .map(ThreadId)
            .zip(&self.threads)
            .filter(|(_, t)| {
                matches!(t.status, Status::Blocked { on: Block::Join { thread: child }, .. } if child == thread)
            })
            .map(|(id, _)| id)
            .collect();
        for joiner in joiners {
            self.make_ready(joiner, Op::Joined { child: thread });
        }
    }

    /// Ends what is still alive, in the event stream.
    pub(super) fn cancel_all(&mut self) {
        for id in (0..self.threads.len() as u32).map(ThreadId) {
            if !self.threads[id.0 as usize].ended() {
                self.emit_for(id, EventKind::ThreadExit(ThreadEnd::Cancelled));
            }
        }
    }
}
