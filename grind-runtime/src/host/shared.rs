//! What handles share with their runtime, and how whoever waits for something lets the guest run.
//!
//! There is no thread of the runtime's own. Who waits on a thread of the host runs the guest there until what it waits for has happened; who
//! awaits runs it for a little whenever it is polled, and asks to be polled again as long as it can go on. One does so at a time; an act, or
//! a poll, waits for the other's next scheduling point.
//!
//! While calls are in flight and all threads wait, virtual time passes as real time does: whoever looks next lets it pass.

use super::deadlines::Deadlines;
use super::handle::JoinError;
use super::reentry::{self, Running};
use crate::machine::{ActError, HostIo, Machine, MachineError, Pause};
use crate::model::{Control, Driven, ThreadId};
use crate::program::Program;
use crate::program::embedder::InFlight;
use crate::session::{DrivenRun, Recording, RunOptions};
use futures_util::FutureExt;
use std::fmt;
use std::future;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

/// Slices for which a poll lets the guest run: some microseconds each, unless threads seldom synchronise.
const SLICES: u32 = 32;

/// Instructions after which a poll comes back, with the slice that it is in: half a millisecond or so.
const STEPS: u64 = 100_000;

pub(super) struct Shared {
    run: Mutex<Run>,
    /// Who waits to get at it.
    waiting: AtomicUsize,
    control: Arc<Control>,
    in_flight: Arc<InFlight>,
    /// The runtime was dropped by a function that the guest called: the run goes when that returns.
    dropped: AtomicBool,
    /// Threads that such a function aborted: that is done when it has returned.
    aborted: Mutex<Vec<ThreadId>>,
    /// Calls of asynchronous functions of the guest so far.
    calls: AtomicU32,
    pub(super) deadlines: Mutex<Deadlines>,
    /// Of the schedule: what the host draws at random follows from it.
    pub(super) seed: u64,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

struct Run {
    /// None when the runtime was dropped, or finished.
    driven: Option<DrivenRun>,
    /// Since when all threads wait while calls are in flight, if nobody let time pass since.
    idle_since: Option<Instant>,
    /// Why it failed.
    failed: Option<Arc<MachineError>>,
}

/// How somebody waits.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// On a thread of the host, where the guest runs meanwhile.
    Blocking,
    /// In a future, which lets the guest run when it is polled.
    Awaiting,
}

/// What came of letting the guest run.
enum Looked<R> {
    /// What was waited for.
    Done(Result<R, JoinError>),
    /// It can go on. Others want to know of what happened.
    Again { news: bool },
    /// It goes on when something happens behind this in [`InFlight::wait`], or when so much real time has passed.
    Outside { since: u64, time: Option<Duration> },
}

/// The run, which is this one's. What is done with it is done as by its guest: who is called meanwhile, a destructor say, cannot wait for it.
struct Held<'a> {
    run: MutexGuard<'a, Run>,
    _running: Running,
}

impl Deref for Held<'_> {
    type Target = Run;

    fn deref(&self) -> &Run {
        &self.run
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Run {
        &mut self.run
    }
}

/// Tells the others that one who let the guest run does so no more.
struct Leaves<'a>(&'a Shared);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.in_flight.notify();
    }
}

impl Shared {
    /// Sets a program up, and runs nothing of it.
    pub(super) fn begin(
        program: &Program,
        options: RunOptions,
        io: Box<dyn HostIo>,
        recording: Option<&Recording>,
        driven: Driven,
    ) -> Result<Shared, MachineError> {
        let control = Arc::clone(&options.control);
        let seed = options.spec.schedule.seed().unwrap_or_default();
        let mut run = DrivenRun::new(program, options, io, recording, driven)?;
        let in_flight = run.machine().in_flight();
        Ok(Shared {
            in_flight: Arc::clone(in_flight.expect("somebody drives it")),
            run: Mutex::new(Run {
                driven: Some(run),
                idle_since: None,
                failed: None,
            }),
            waiting: AtomicUsize::new(0),
            control,
            dropped: AtomicBool::new(false),
            aborted: Mutex::default(),
            calls: AtomicU32::new(0),
            deadlines: Mutex::default(),
            seed,
        })
    }

    pub(super) fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Threads that have ended so far.
    pub(super) fn threads_ended(&self) -> u64 {
        self.control.threads_ended()
    }

    /// A number for a call of the guest.
    pub(super) fn next_call(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Gets at the run, which comes back for that at its next scheduling point. `None` for who is called by its guest.
    fn lock(&self) -> Option<Held<'_>> {
        if reentry::runs(self) {
            return None;
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.control.interrupt();
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        if self.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            // It was for this, or for a call that is done, which whoever lets the guest run looks at first.
            self.control.take_interrupt();
        }
        if self.waiting.load(Ordering::SeqCst) > 0 {
            // It may have been for one who came in between.
            self.control.interrupt();
        }
        Some(Held {
            run,
            _running: Running::begin(self),
        })
    }

    /// What functions wanted that the guest called.
    fn do_what_was_left(&self, run: &mut Run) {
        if self.dropped.load(Ordering::SeqCst) {
            run.driven = None;
        }
        let mut aborted = self.aborted.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in aborted.drain(..) {
            if let Some(driven) = &mut run.driven {
                // It is refused where there is nothing to end any more.
                let _ = driven.machine().abort(thread);
            }
        }
    }

    /// Takes the run away: whoever waits is told that it is over, and calls in flight are dropped.
    pub(super) fn take(&self) -> Option<DrivenRun> {
        let run = match self.lock() {
            Some(mut run) => run.driven.take(),
            None => {
                self.dropped.store(true, Ordering::SeqCst);
                None
            }
        };
        self.in_flight.close();
        run
    }

    /// Does something with the machine.
    ///
    /// # Errors
    /// [`ActError::Over`] if there is none any more, [`ActError::Reentered`] for who is called by its guest.
    pub(super) fn act<R>(
        &self,
        act: impl FnOnce(&mut Machine) -> Result<R, ActError>,
    ) -> Result<R, ActError> {
        let acted = {
            let mut run = self.lock().ok_or(ActError::Reentered)?;
            self.do_what_was_left(&mut run);
            match &mut run.driven {
                Some(driven) => act(driven.machine()),
                None => Err(ActError::Over),
            }
        };
        self.in_flight.notify();
        acted
    }

    /// Ends a thread where it is. Who is called by the guest has it ended when the function returns.
    pub(super) fn abort(&self, thread: ThreadId) {
        // It is refused where there is nothing to end any more.
        if self.act(|machine| machine.abort(thread)) == Err(ActError::Reentered) {
            let mut aborted = self.aborted.lock().unwrap_or_else(PoisonError::into_inner);
            aborted.push(thread);
            self.control.interrupt();
        }
    }

    /// Lets the guest run until the machine says what is waited for. Others get at it in between.
    pub(super) fn wait<R>(
        &self,
        mut done: impl FnMut(&mut Machine) -> Option<R>,
    ) -> Result<R, JoinError> {
        let _leaves = Leaves(self);
        loop {
            let looked = {
                let mut run = self.lock().ok_or(JoinError::Reentered)?;
                self.look(&mut run, Machine::run, &mut done)
            };
            match looked {
                Looked::Done(result) => return result,
                Looked::Again { news: true } => self.in_flight.notify(),
                Looked::Again { news: false } => {}
                Looked::Outside { since, time } => self.in_flight.wait(since, time),
            }
            // The lock is not a fair one.
            while self.waiting.load(Ordering::SeqCst) > 0 {
                thread::yield_now();
            }
        }
    }

    /// The same, either way. What waits by blocking never awaits.
    pub(super) async fn wait_as<R>(
        &self,
        how: How,
        done: impl FnMut(&mut Machine) -> Option<R>,
    ) -> Result<R, JoinError> {
        match how {
            How::Blocking => self.wait(done),
            How::Awaiting => self.wait_async(done).await,
        }
    }

    /// The same for who awaits it, and does not block.
    pub(super) async fn wait_async<R>(
        &self,
        mut done: impl FnMut(&mut Machine) -> Option<R>,
    ) -> Result<R, JoinError> {
        let _leaves = Leaves(self);
        future::poll_fn(|context| self.poll_wait(context, &mut done)).await
    }

    fn poll_wait<R>(
        &self,
        context: &mut Context<'_>,
        done: &mut impl FnMut(&mut Machine) -> Option<R>,
    ) -> Poll<Result<R, JoinError>> {
        // First: what happens after this wakes it.
        self.in_flight.register(context.waker());
        let (mut told, mut polled) = (false, Poll::Pending);
        let Some(mut run) = self.lock() else {
            return Poll::Ready(Err(JoinError::Reentered));
        };
        let steps = |run: &mut Run| match &mut run.driven {
            Some(run) => run.machine().steps(),
            None => 0,
        };
        let until = steps(&mut run).saturating_add(STEPS);
        let mut again = true;
        for _ in 0..SLICES {
            match self.look(&mut run, Machine::run_a_slice, done) {
                Looked::Done(result) => {
                    polled = Poll::Ready(result);
                    again = false;
                }
                Looked::Again { news } => told |= news,
                Looked::Outside { time, .. } => {
                    again = false;
                    if let Some(time) = time {
                        self.in_flight.wake_after(time);
                    }
                }
            }
            let others = self.waiting.load(Ordering::SeqCst) > 0;
            if !again || others || steps(&mut run) >= until {
                break;
            }
        }
        drop(run);
        if told {
            self.in_flight.notify();
        }
        if again {
            context.waker().wake_by_ref();
        }
        polled
    }

    /// Lets the guest run for a slice, unless the machine says before what is asked for.
    pub(super) fn poll<R>(&self, mut done: impl FnMut(&mut Machine) -> Option<R>) -> Option<R> {
        let _leaves = Leaves(self);
        let mut run = self.lock()?;
        match self.look(&mut run, Machine::run_a_slice, &mut done) {
            Looked::Done(Ok(result)) => Some(result),
            // Whoever waits is told of what goes wrong.
            _ => done(run.driven.as_mut()?.machine()),
        }
    }

    /// Lets the guest run a little with `run_guest`, and time pass where all wait for that, unless what is waited for has happened.
    fn look<R>(
        &self,
        run: &mut Run,
        run_guest: fn(&mut Machine) -> Result<Pause, MachineError>,
        done: &mut impl FnMut(&mut Machine) -> Option<R>,
    ) -> Looked<R> {
        self.do_what_was_left(run);
        if let Some(error) = &run.failed {
            return Looked::Done(Err(JoinError::Failed(Arc::clone(error))));
        }
        let Some(driven) = &mut run.driven else {
            return Looked::Done(Err(JoinError::Over));
        };
        let machine = driven.machine();
        if let Some(since) = run.idle_since.take() {
            let_time_pass(machine, since.elapsed());
        }
        let since = self.in_flight.now();
        for key in self.in_flight.done() {
            // It is refused where the run is over.
            let _ = machine.wake(key, 1);
        }
        if let Some(result) = done(machine) {
            return Looked::Done(Ok(result));
        }
        self.deadlines().apply(machine);
        match run_guest(machine) {
            Err(error) => {
                let error = run.failed.insert(Arc::new(error));
                Looked::Done(Err(JoinError::Failed(Arc::clone(error))))
            }
            Ok(Pause::Ended) => Looked::Done(Err(JoinError::Over)),
            Ok(Pause::Interrupted | Pause::Alarm) => Looked::Again { news: false },
            Ok(Pause::ThreadEnded(thread)) => {
                self.deadlines().ended(thread);
                Looked::Again { news: true }
            }
            Ok(Pause::CallReturned(_)) => Looked::Again { news: true },
            Ok(Pause::Waiting { deadline }) => {
                let in_flight = self.in_flight.any();
                if self.in_flight.now() != since {
                    return Looked::Again { news: false };
                }
                if in_flight {
                    run.idle_since = Some(Instant::now());
                    let until = deadline.into_iter().chain(machine.alarm()).min();
                    let time = until.map(|until| until.saturating_sub(machine.now()));
                    let time = time.map(Duration::from_nanos);
                    return Looked::Outside { since, time };
                }
                match deadline {
                    // It is refused only where nobody waits for a deadline.
                    Some(_) => drop(machine.elapse()),
                    None => return Looked::Done(Err(JoinError::Blocked)),
                }
                Looked::Again { news: false }
            }
        }
    }
}

/// So much real time has passed while all threads waited: as much virtual time does, up to the next deadline of one. It is refused where
/// a thread can go on by now.
fn let_time_pass(machine: &mut Machine, passed: Duration) {
    let deadline = machine.deadline();
    if deadline.is_none() && machine.alarm().is_none() {
        return;
    }
    let passed = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
    let until = machine.now().saturating_add(passed);
    let _ = match deadline {
        Some(deadline) if deadline <= until => machine.elapse(),
        _ => machine.elapse_to(until),
    };
}

/// What a future comes to that blocks and never awaits.
pub(super) fn now<R>(future: impl Future<Output = R>) -> R {
    let ready = future.now_or_never();
    ready.expect("who waits by blocking never awaits")
}
