//! The machine's half of a run: threads, time, the scheduler and the sink. Knows nothing of the engine.

use super::abi::Descriptors;
use super::clock::Clock;
use super::input::InputWaiters;
use super::instances::Instances;
use super::intercepts::Intercepts;
use super::io::HostIo;
use super::lock_words::LockWords;
use super::ops::{self, Op, Reply};
use super::pending::View;
use super::ring::RING_WORDS;
use super::run::Pause;
use super::scopes::Scopes;
use super::thread::{Block, Stack, Status, Thread, ThreadEntry, TlsLayout, Woken};
use super::waiters::Waiters;
use super::waits::{self, Waits};
use super::{MachineConfig, MachineError, Trap, TrapReport};
use crate::model::limits::TOTAL_THREADS;
use crate::model::sites::{SiteId, SiteKind, SiteTable};
use crate::model::{
    AFTERWARDS, Control, Driven, Ending, Event, EventKind, EventSink, Flow, LimitReached, Limits,
    RangeOrigin, Record, Records, SINGLE, Slice, ThreadEnd, ThreadId, Unfinished, WORK_AFTERWARDS,
    WaitOutcome,
};
use crate::program::Program;
use crate::program::embedder::InFlight;
use crate::program::imports::ThreadAbi;
use crate::schedule::{Point, PointKind, Scheduler};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use threadlink::abi::Errno;

/// Bytes of a range of memory that the detectors get at a time: a few tenths of a second at most.
const PIECE: u32 = 16 << 20;

/// Everything of a run but the engine.
pub(super) struct State {
    pub(super) program: Program,
    pub(super) sites: Arc<SiteTable>,
    pub(super) threads: Vec<Thread>,
    pub(super) intercepts: Intercepts,
    pub(super) lock_words: LockWords,
    pub(super) scopes: Scopes,
    pub(super) waits: Waits,
    pub(super) current: ThreadId,
    /// Ascending.
    runnable: Vec<ThreadId>,
    /// Threads that have not ended.
    alive: u32,
    pub(super) futexes: Waiters<u32>,
    pub(super) keys: Waiters<u64>,
    pub(super) input: InputWaiters,
    pub(super) clock: Clock,
    pub(super) scheduler: Box<dyn Scheduler>,
    /// Words of records left of the current slice.
    pub(super) remaining: u32,
    pub(super) sink: Box<dyn EventSink>,
    pub(super) io: Box<dyn HostIo>,
    pub(super) descriptors: Descriptors,
    pub(super) args: Vec<Vec<u8>>,
    pub(super) env: Vec<Vec<u8>>,
    pub(super) limits: Limits,
    pub(super) limits_reached: BTreeSet<LimitReached>,
    pub(super) instances: Instances,
    pub(super) shared_memory: bool,
    /// What the end of the main thread means to the others.
    unfinished: Unfinished,
    /// The run has come to its end, and threads that have not are looked at.
    observed: Option<Observed>,
    /// A trap in any thread ends the run (wasi-threads).
    pub(super) trap_ends_all: bool,
    /// Thread-local storage of the module, where the host has to set it up (Wasmgrind guests).
    pub(super) tls_layout: Option<TlsLayout>,
    pub(super) traps: Vec<TrapReport>,
    pub(super) ending: Option<Ending>,
    /// The driver may still act.
    pub(super) outside: bool,
    /// Places so far at which it can.
    pub(super) tick: u64,
    /// The next at which it does, for all that is known.
    pub(super) pause_at: u64,
    /// The run is at such a place: no thread has gone on since.
    pub(super) at_place: bool,
    /// It is to be left there.
    pub(super) paused: bool,
    /// Nobody can go on before the driver acts, or time passes.
    pub(super) idle: bool,
    /// When the driver wants to be told that virtual time has come so far.
    pub(super) alarm: Option<u64>,
    /// What became of threads of the driver, which it was not told: one entry a thread or less.
    pub(super) news: VecDeque<Pause>,
    /// What the scheduler decided that it could not.
    pub(super) wrong_decision: Option<MachineError>,
    pub(super) control: Arc<Control>,
    /// Calls of asynchronous functions of the embedder.
    pub(super) in_flight: Option<Arc<InFlight>>,
    /// Words taken out of the ring, not yet delivered.
    pub(super) batch: Vec<u32>,
    /// Words delivered.
    pub(super) delivered: u64,
    pub(super) events: u64,
}

/// How a run ends whose unfinished threads are still observed, and when that is.
#[derive(Debug)]
struct Observed {
    ending: Ending,
    /// Virtual time.
    until: u64,
    /// The clock's count of work.
    work: u64,
    /// The operation at hand wants the host.
    asks_host: bool,
}

/// What the engine does after it asked for an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Return this to the guest.
    Value(u64),
    /// Suspend the thread.
    Suspend,
    /// Suspend the thread, which goes on when the driver has acted: nothing in the guest tells.
    Pause,
    /// Suspend the thread, and run this export on it before it goes on with the last of [`Thread::after_calls`].
    Call {
        export: &'static str,
        args: Vec<u32>,
    },
    /// End the thread, which trapped.
    Trap(Trap),
    /// End the thread, as if its entry had returned.
    EndThread,
    /// End the run.
    Stop,
}

impl State {
    pub(super) fn new(program: &Program, config: MachineConfig, entry: Vec<String>) -> State {
        let spec = config.spec;
        State {
            program: program.clone(),
            sites: Arc::clone(program.sites()),
            threads: vec![Thread::new(ThreadEntry {
                exports: entry,
                args: Vec::new(),
                stack: None,
            })],
            intercepts: Intercepts::new(program),
            lock_words: LockWords::new(Arc::clone(program.lock_sites())),
            scopes: Scopes::default(),
            waits: Waits::default(),
            current: ThreadId(0),
            runnable: vec![ThreadId(0)],
            alive: 1,
            futexes: Waiters::default(),
            keys: Waiters::default(),
            input: InputWaiters::default(),
            clock: Clock::default(),
            scheduler: config.scheduler,
            remaining: 0,
            sink: config.sink,
            io: config.io,
            descriptors: Descriptors::new(spec.preopens),
            args: spec.args,
            env: spec.env,
            limits: spec.limits,
            limits_reached: BTreeSet::new(),
            instances: Instances::new(program.info()),
            shared_memory: program.info().memory.is_some_and(|memory| memory.shared),
            unfinished: spec.entry.unfinished,
            observed: None,
            trap_ends_all: ThreadAbi::of(program.info()).any(|abi| abi == ThreadAbi::WasiThreads),
            tls_layout: None,
            traps: Vec::new(),
            ending: None,
            outside: config.driven != Driven::ByNobody,
            tick: 0,
            pause_at: u64::MAX,
            at_place: false,
            paused: false,
            idle: false,
            alarm: None,
            news: VecDeque::new(),
            wrong_decision: None,
            in_flight: (config.driven != Driven::ByNobody)
                .then(|| InFlight::new(config.executor, Arc::clone(&config.control))),
            control: config.control,
            batch: Vec::with_capacity(RING_WORDS as usize),
            delivered: 0,
            events: 0,
        }
    }

    pub(super) fn thread(&self) -> &Thread {
        &self.threads[self.current.0 as usize]
    }

    pub(super) fn thread_mut(&mut self) -> &mut Thread {
        &mut self.threads[self.current.0 as usize]
    }

    /// All threads, those that have ended as well.
    pub(super) fn threads(&self) -> impl Iterator<Item = (ThreadId, &Thread)> {
        (0..).map(ThreadId).zip(&self.threads)
    }

    pub(super) fn get(&self, thread: ThreadId) -> Option<&Thread> {
        self.threads.get(thread.0 as usize)
    }

    /// Emits an event of the current thread.
    pub(super) fn emit(&mut self, kind: EventKind) {
        self.emit_for(self.current, kind);
    }

    pub(super) fn emit_for(&mut self, thread: ThreadId, kind: EventKind) {
        self.events += 1;
        if self.sink.event(&Event { thread, kind }) == Flow::Halt {
            self.stop(Ending::Halted);
        }
    }

    /// The current thread reads or writes a range of memory. Long ones are told in pieces, between which the run can be
    /// stopped.
    pub(super) fn accesses(&mut self, origin: RangeOrigin, addr: u32, len: u32, write: bool) {
        let mut done = 0;
        loop {
            let piece = (len - done).min(PIECE);
            self.emit(EventKind::Range {
                origin,
                addr: addr.wrapping_add(done),
                len: piece,
                write,
            });
            done += piece;
            if done == len || self.stopping() {
                return;
            }
        }
    }

    /// The run ends; the first reason counts. While unfinished threads are observed, it has ended already, for all that they do but
    /// trap.
    pub(super) fn end(&mut self, ending: Ending) {
        let ending = match (self.observed.take(), ending) {
            (_, ending @ (Ending::Halted | Ending::Trapped)) => ending,
            (Some(observed), _) => observed.ending,
            (None, ending) => ending,
        };
        self.ending.get_or_insert(ending);
    }

    /// The run has come to its end. The threads that have not may go on for a while.
    fn finish(&mut self, ending: Ending) {
        // Who called exit is still alive, and who returned is not.
        let others = self.alive - u32::from(!self.thread().ended());
        if self.unfinished == Unfinished::End || self.observed.is_some() || others == 0 {
            return self.end(ending);
        }
        // The end of the main thread says so by itself.
        if ending != Ending::Returned {
            self.emit(EventKind::ProcessEnd);
        }
        self.observed = Some(Observed {
            ending,
            until: self.clock.after(AFTERWARDS),
            work: self.clock.worked().saturating_add(WORK_AFTERWARDS),
            asks_host: false,
        });
    }

    /// The host, unless the run has ended and unfinished threads are only observed: then the current thread, which asks for it, goes no
    /// further ([`State::beyond_the_end`]).
    pub(super) fn host(&mut self) -> Option<&mut dyn HostIo> {
        match &mut self.observed {
            Some(observed) => {
                observed.asks_host = true;
                None
            }
            None => Some(&mut *self.io),
        }
    }

    /// Whether what was just carried out wanted the host, and the run has ended.
    pub(super) fn beyond_the_end(&mut self) -> bool {
        (self.observed.as_mut()).is_some_and(|observed| std::mem::take(&mut observed.asks_host))
    }

    /// Whether unfinished threads were observed for long enough.
    fn observed_enough(&self) -> bool {
        (self.observed.as_ref()).is_some_and(|observed| {
            self.clock.now() > observed.until || self.clock.worked() > observed.work
        })
    }

    /// The same, from outside: not what the guest, its inputs and the scheduler make of it, so the sink is told.
    pub(super) fn stop(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.end(ending);
            let words = self.delivered;
            self.emit(EventKind::Stop { words });
        }
    }

    /// Whether the run is at its end, or is asked to be.
    pub(super) fn stopping(&mut self) -> bool {
        if self.control.stop_requested() {
            self.stop(Ending::TimedOut);
        }
        if self.observed_enough() {
            self.end(Ending::Returned);
        }
        self.ending.is_some()
    }

    // ---- scheduling ----------------------------------------------------------------------------

    /// The ring is full or the slice used up.
    pub(super) fn drained(&mut self) -> Verdict {
        if self.stopping() {
            return Verdict::Stop;
        }
        let expired = self.remaining < SINGLE;
        let switched = expired && self.switches_away(PointKind::Expired, &Op::Drained);
        self.left(switched, &Op::Drained)
            .unwrap_or_else(|| Verdict::Value(u64::from(self.next_slot())))
    }

    /// The current thread asks for an operation. Returns `None` if it is its turn to carry it out.
    pub(super) fn request(&mut self, op: &Op) -> Option<Verdict> {
        if self.stopping() {
            return Some(Verdict::Stop);
        }
        self.clock.call();
        let others_first = op.is_sync() && self.switches_away(PointKind::Sync, op);
        self.left(others_first, op)
    }

    /// Whether the current thread, which was to go on with `op`, leaves the guest: because another one was chosen, or the driver wants
    /// to act.
    fn left(&mut self, switched: bool, op: &Op) -> Option<Verdict> {
        let due = self.due();
        if switched {
            return Some(Verdict::Suspend);
        }
        self.at_place = due;
        due.then(|| {
            self.thread_mut().status = Status::Ready(op.clone());
            Verdict::Pause
        })
    }

    /// The run is at a place where the driver can act. Returns whether it may want to.
    fn due(&mut self) -> bool {
        self.tick += 1;
        self.at_place = true;
        let due =
            self.tick >= self.pause_at || self.control.interrupted() || self.alarm_is_reached();
        self.paused |= due;
        due
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
                self.block(on, deadline);
                Verdict::Suspend
            }
            Reply::AwaitInput { deadline, then } => {
                self.thread_mut().again = Some(then);
                self.input.wait(thread);
                self.block(Block::Input, deadline);
                Verdict::Suspend
            }
            Reply::Call {
                export,
                args,
                then,
                then_args,
            } => {
                let then = Op::Host {
                    function: then,
                    args: then_args,
                };
                self.thread_mut().after_calls.push(then);
                Verdict::Call { export, args }
            }
            Reply::Trap(trap) => Verdict::Trap(trap),
            Reply::EndThread => Verdict::EndThread,
            Reply::Exit(code) => {
                self.finish(Ending::Exited(code));
                if self.ending.is_none() {
                    self.block(Block::Exited, None);
                }
                Verdict::Stop
            }
        }
    }

    pub(super) fn block(&mut self, on: Block, deadline: Option<u64>) {
        let thread = self.current;
        self.thread_mut().status = Status::Blocked { on, deadline };
        self.not_runnable(thread);
        if let Block::Join { thread: child } = on {
            self.threads[child.0 as usize].joiners.push(thread);
        }
        if let Some(deadline) = deadline {
            self.clock.arm(deadline, thread);
        }
        self.reschedule();
    }

    /// Asks the scheduler; `current` and its slice are new afterwards. A current thread that can go on does so with `op`.
    pub(super) fn point(&mut self, kind: PointKind, op: Option<&Op>) {
        self.wake_expired();
        if self.observed.is_none() {
            self.look_for_input();
        }
        let current = (kind != PointKind::Blocked).then_some(self.current);
        let slice = self.scheduler.next(&Point {
            kind,
            current,
            remaining: self.remaining,
            runnable: &self.runnable,
            threads: &View {
                threads: &self.threads,
                current: current.zip(op),
                sites: &self.sites,
                embedder: self.program.embedder(),
            },
        });
        let runnable = self.runnable.binary_search(&slice.thread).is_ok();
        if !runnable || slice.words == 0 {
            self.wrong_decision = Some(MachineError::Scheduler {
                slice,
                events: self.events,
                runnable,
            });
            return self.end(Ending::Halted);
        }
        let Slice { thread, words } = slice;
        self.current = thread;
        self.remaining = words;
    }

    /// Asks the scheduler; if it picks another thread, the current one will go on with `op`.
    fn switches_away(&mut self, kind: PointKind, op: &Op) -> bool {
        let before = self.current;
        self.point(kind, Some(op));
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
            let in_time = |observed: &Observed| {
                (self.clock.next()).is_some_and(|deadline| deadline <= observed.until)
            };
            if self
                .observed
                .as_ref()
                .is_some_and(|observed| !in_time(observed))
            {
                // Nobody goes on, or nobody soon. What the host would still say is not waited for.
                return self.end(Ending::Returned);
            }
            if self.observed.is_none() && self.input.is_awaited() {
                if self.stopping() {
                    return;
                }
                self.wait_for_input();
            } else if self.waits_for_driver() {
                if !std::mem::replace(&mut self.idle, true) {
                    self.due();
                }
                return;
            } else if !self.clock.jump() {
                return self.deadlock();
            }
            self.wake_expired();
        }
        self.idle = false;
        self.point(PointKind::Blocked, None);
    }

    /// Whether it is for the driver to say how it goes on, where no thread can.
    fn waits_for_driver(&self) -> bool {
        let for_it = |thread: &Thread| match thread.status {
            Status::Blocked { on, .. } => matches!(on, Block::Key { .. } | Block::Driver),
            _ => false,
        };
        self.outside && self.observed.is_none() && self.threads.iter().any(for_it)
    }

    fn deadlock(&mut self) {
        let blocked: Vec<_> = (self.threads())
            .filter_map(|(id, _)| Some((id, waits::blocked(self, id)?)))
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
                Block::Input => {
                    self.input.forget(thread);
                    self.try_again(thread);
                }
                Block::Key { key } => {
                    self.keys.forget(key, thread);
                    self.threads[thread.0 as usize].woken = Some(Woken::DeadlinePassed);
                    self.try_again(thread);
                }
                Block::Join { .. } | Block::Driver | Block::Exited => {}
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

    /// A thread that waited for input does again what it wanted it for.
    pub(super) fn try_again(&mut self, thread: ThreadId) {
        let waiting = &mut self.threads[thread.0 as usize];
        if let Status::Blocked {
            deadline: Some(deadline),
            ..
        } = waiting.status
        {
            self.clock.disarm(deadline, thread);
        }
        if let Some(op) = waiting.again.take() {
            self.make_ready(thread, op);
        }
    }

    pub(super) fn make_ready(&mut self, thread: ThreadId, op: Op) {
        self.threads[thread.0 as usize].status = Status::Ready(op);
        if let Err(at) = self.runnable.binary_search(&thread) {
            self.runnable.insert(at, thread);
        }
    }

    /// Whether no thread can go on, as far as is known before time passes.
    pub(super) fn all_wait(&self) -> bool {
        self.idle && self.runnable.is_empty()
    }

    pub(super) fn not_runnable(&mut self, thread: ThreadId) {
        if let Ok(at) = self.runnable.binary_search(&thread) {
            self.runnable.remove(at);
        }
    }

    /// The engine's fuel ran out in the current thread, which has burned so much.
    pub(super) fn refuel(&mut self, burned: u64) {
        self.clock.burned(burned);
        if !self.stopping() {
            self.remaining = 0;
            self.switches_away(PointKind::Expired, &Op::Refuelled);
            self.due();
        }
    }

    // ---- threads -------------------------------------------------------------------------------

    /// Creates a thread that is ready to run.
    pub(super) fn spawn(&mut self, entry: ThreadEntry) -> Result<ThreadId, Errno> {
        let scope = self.thread_mut().scope.take();
        let name = self.thread_mut().names_next.take();
        if self.alive >= self.limits.threads || self.threads.len() >= TOTAL_THREADS as usize {
            self.limits_reached.insert(LimitReached::Threads);
            return Err(Errno::TooManyThreads);
        }
        if !self.instances.reserve() {
            self.limits_reached.insert(LimitReached::Instances);
            return Err(Errno::TooManyThreads);
        }
        self.alive += 1;
        let child = ThreadId(self.threads.len() as u32);
        let mut thread = Thread::new(entry);
        let current = self.current;
        let parent = self.thread_mut();
        thread.origin = (current, parent.children);
        parent.children += 1;
        self.threads.push(thread);
        self.runnable.push(child);
        self.thread_mut().last_child = Some(child);
        if let Some(scope) = scope {
            self.scopes.enter(scope, child);
        }
        self.emit(EventKind::ThreadCreate { child });
        if let Some(name) = name {
            self.threads[child.0 as usize].named = true;
            self.emit(EventKind::ThreadName { of: child, name });
        }
        Ok(child)
    }

    /// The main thread is about to make another call of its own.
    pub(super) fn revive_main(&mut self) {
        self.ending = None;
        self.current = ThreadId(0);
        self.alive += u32::from(self.thread().ended());
        self.make_ready(ThreadId(0), Op::Start);
        self.point(PointKind::Blocked, None);
        self.current = ThreadId(0);
    }

    /// The current thread set its stack pointer as the first thing that it does. Where the host gave it a stack, that
    /// has begun already.
    pub(super) fn stack_begins(&mut self, top: u32) {
        let thread = self.thread_mut();
        if thread.entry.stack.is_none() {
            thread.stack = Stack::from(top);
        }
    }

    /// A thread was suspended with this stack pointer.
    pub(super) fn stack_reaches(&mut self, thread: ThreadId, pointer: u32) {
        let stack = &mut self.threads[thread.0 as usize].stack;
        if let Some((low, high)) = stack.reaches(pointer) {
            self.emit_for(thread, EventKind::ThreadStack { low, high });
        }
    }

    /// The current thread's entry returned.
    pub(super) fn returned(&mut self) {
        self.ends_by_return();
        self.reschedule();
    }

    /// The same, and nobody is chosen to go on.
    pub(super) fn ends_by_return(&mut self) {
        self.emit(EventKind::ThreadExit(ThreadEnd::Returned));
        self.ended(self.current, Status::Returned);
        if self.current == ThreadId(0) && self.unfinished != Unfinished::Wait {
            self.finish(Ending::Returned);
        }
        self.end_with_the_last();
    }

    /// The current thread trapped.
    pub(super) fn trapped(&mut self, trap: Trap, memory_len: usize) {
        let thread = self.current;
        let site = self.trap_site(&trap, memory_len);
        self.deliver();
        if self.panicked(&trap, site)
            && let Some(message) = self.thread_mut().last_words.message()
        {
            self.emit(EventKind::Panicked { message });
        }
        self.emit(EventKind::ThreadExit(ThreadEnd::Trapped {
            reason: trap.to_string(),
            site,
        }));
        self.traps.push(TrapReport { thread, trap, site });
        self.ended(thread, Status::Trapped);
        if thread == ThreadId(0) || self.trap_ends_all {
            self.end(Ending::Trapped);
        }
        self.end_with_the_last();
        self.reschedule();
    }

    /// Whether a trap is how a program ends itself: what it has written before is then about that.
    fn panicked(&self, trap: &Trap, site: Option<SiteId>) -> bool {
        let unreachable = |site| self.sites.packed(site).kind() == SiteKind::Trap as u8;
        matches!(trap, Trap::Panic(_)) || site.is_some_and(unreachable)
    }

    /// Where a trap happened, as far as the records tell. An access that trapped, and what follows it in its
    /// region, has a record although it did not happen: those are taken back. Nothing but an access traps
    /// between two records of a region.
    fn trap_site(&mut self, trap: &Trap, memory_len: usize) -> Option<SiteId> {
        if let Some(site) = self.thread_mut().trap_site.take() {
            return Some(site);
        }
        let last = Records::new(&self.batch, &self.sites).regions().last()?;
        let before = self.batch.len() - last.words.len();
        let records: Vec<Record> = (0..last.len)
            .map(|index| last.record(&self.sites, index))
            .collect();
        if *trap == Trap::OutOfBounds {
            let trapped = records.iter().position(|&record| {
                let site = self.sites.packed(record.site());
                let end = u64::from(record.base())
                    + u64::from(site.displacement())
                    + u64::from(site.width());
                site.kind() <= SiteKind::Write as u8 && end > memory_len as u64
            })?;
            self.batch.truncate(before);
            for record in &records[..trapped] {
                self.batch.extend([record.base(), record.site().0]);
            }
            return Some(records[trapped].site());
        }
        let site = records.last()?.site();
        (self.sites.packed(site).kind() == SiteKind::Trap as u8).then_some(site)
    }

    /// Where the main thread's return does not end the run, that of the last thread does.
    pub(super) fn end_with_the_last(&mut self) {
        if self.alive == 0 {
            self.end(Ending::Returned);
        }
    }

    pub(super) fn ended(&mut self, thread: ThreadId, status: Status) {
        let before = self.threads.len() as u32 - self.alive;
        let ended = &mut self.threads[thread.0 as usize];
        ended.end(status);
        ended.ended_as = Some(before);
        let (of_driver, joiners) = (ended.of_driver, std::mem::take(&mut ended.joiners));
        self.not_runnable(thread);
        self.alive -= 1;
        self.control.thread_ended();
        if let Some(calls) = &self.in_flight {
            calls.cancel(thread);
        }
        if of_driver {
            self.tell_driver(Pause::ThreadEnded(thread));
        }
        for joiner in joiners {
            self.make_ready(joiner, Op::Joined { child: thread });
        }
    }

    /// The driver is told this about one of its threads.
    pub(super) fn tell_driver(&mut self, news: Pause) {
        self.news.push_back(news);
        self.due();
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
