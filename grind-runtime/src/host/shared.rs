//! What handles share with their runtime, and how whoever waits for something lets the guest run.
//!
//! There is no thread of the runtime's own. Who waits on a thread of the host runs the guest there until what it waits for has happened; who
//! awaits runs it for a little whenever it is polled. One does so at a time, and the others are woken when there is news for them, or
//! when it goes.

use super::deadlines::Deadlines;
use super::handle::JoinError;
use crate::machine::{ActError, Machine, MachineError, Pause};
use crate::model::Control;
use crate::program::embedder::InFlight;
use crate::session::DrivenRun;
use std::fmt;
use std::future;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

/// Slices for which a poll lets the guest run: some microseconds each, unless threads seldom synchronise.
const SLICES: u32 = 32;

/// Instructions after which a poll comes back, with the slice that it is in: half a millisecond or so.
const STEPS: u64 = 100_000;

pub(super) struct Shared {
    /// None when the runtime was dropped, or finished.
    run: Mutex<Option<DrivenRun>>,
    /// Who waits to get at it.
    waiting: AtomicUsize,
    control: Arc<Control>,
    in_flight: Arc<InFlight>,
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
    /// It can go on.
    Again,
    /// It goes on when a call in flight is done, or at a time.
    Outside(Outside),
}

/// When a guest goes on that waits for calls in flight.
struct Outside {
    /// When something happens behind this in [`InFlight::wait`].
    since: u64,
    /// Or at this virtual time, and how far off that is.
    deadline: Option<(u64, Duration)>,
}

/// Tells the others that one who let the guest run does so no more.
struct Leaves<'a>(&'a Shared);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.in_flight.notify();
    }
}

impl Shared {
    pub(super) fn new(mut run: DrivenRun, control: Arc<Control>, seed: u64) -> Shared {
        let in_flight = run.machine().in_flight();
        Shared {
            in_flight: Arc::clone(in_flight.expect("the host is the main thread")),
            run: Mutex::new(Some(run)),
            waiting: AtomicUsize::new(0),
            control,
            calls: AtomicU32::new(0),
            deadlines: Mutex::default(),
            seed,
        }
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

    /// Gets at the run, which comes back for that at its next scheduling point.
    fn lock(&self) -> MutexGuard<'_, Option<DrivenRun>> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.control.interrupt();
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        if self.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            // It was for this, or for a call that is done, which whoever lets the guest run looks at first.
            self.control.take_interrupt();
        }
        run
    }

    /// The run, if nobody is at it.
    fn try_lock(&self) -> Option<MutexGuard<'_, Option<DrivenRun>>> {
        match self.run.try_lock() {
            Ok(run) => Some(run),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Takes the run away: whoever waits is told that it is over, and calls in flight are dropped.
    pub(super) fn take(&self) -> Option<DrivenRun> {
        let run = self.lock().take();
        self.in_flight.close();
        run
    }

    /// Does something with the machine.
    ///
    /// # Errors
    /// [`ActError::Over`] if there is none any more.
    pub(super) fn act<R>(
        &self,
        act: impl FnOnce(&mut Machine) -> Result<R, ActError>,
    ) -> Result<R, ActError> {
        let acted = match &mut *self.lock() {
            Some(run) => act(run.machine()),
            None => Err(ActError::Over),
        };
        self.in_flight.notify();
        acted
    }

    /// Lets the guest run until the machine says what is waited for. Others get at it in between.
    pub(super) fn wait<R>(
        &self,
        mut done: impl FnMut(&mut Machine) -> Option<R>,
    ) -> Result<R, JoinError> {
        let _leaves = Leaves(self);
        let mut time_is_up = None;
        loop {
            let looked = self.look(&mut self.lock(), Machine::run, &mut time_is_up, &mut done);
            match looked {
                Looked::Done(result) => return result,
                Looked::Again => {}
                Looked::Outside(Outside { since, deadline }) => {
                    let time = deadline.map(|(_, time)| time);
                    if !self.in_flight.wait(since, time) {
                        time_is_up = deadline.map(|(until, _)| until);
                    }
                }
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
        // First: who leaves after this tells.
        self.in_flight.register(context.waker());
        let Some(mut run) = self.try_lock() else {
            return Poll::Pending;
        };
        let mut time_is_up = None;
        let steps = |run: &mut Option<DrivenRun>| match run {
            Some(run) => run.machine().steps(),
            None => 0,
        };
        let until = steps(&mut run).saturating_add(STEPS);
        for _ in 0..SLICES {
            if steps(&mut run) >= until {
                break;
            }
            match self.look(&mut run, Machine::run_a_slice, &mut time_is_up, done) {
                Looked::Done(result) => return Poll::Ready(result),
                Looked::Again => {}
                Looked::Outside(outside) => match outside.deadline {
                    Some((until, time)) if self.in_flight.passed(until, time) => {
                        time_is_up = Some(until);
                    }
                    _ => return Poll::Pending,
                },
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Lets the guest run for a slice, unless the machine says before what is asked for.
    pub(super) fn poll<R>(&self, mut done: impl FnMut(&mut Machine) -> Option<R>) -> Option<R> {
        let mut run = self.lock();
        match self.look(&mut run, Machine::run_a_slice, &mut None, &mut done) {
            Looked::Done(Ok(result)) => Some(result),
            // Whoever waits is told of what goes wrong.
            _ => done(run.as_mut()?.machine()),
        }
    }

    /// Lets the guest run a little with `run_guest`, and time pass where all wait for that, unless what is waited for has happened.
    fn look<R>(
        &self,
        run: &mut Option<DrivenRun>,
        run_guest: fn(&mut Machine) -> Result<Pause, MachineError>,
        time_is_up: &mut Option<u64>,
        done: &mut impl FnMut(&mut Machine) -> Option<R>,
    ) -> Looked<R> {
        let Some(run) = run else {
            return Looked::Done(Err(JoinError::Over));
        };
        let machine = run.machine();
        let since = self.in_flight.now();
        for key in self.in_flight.done() {
            // It is refused where the run is over.
            let _ = machine.wake(key, 1);
        }
        if let Some(result) = done(machine) {
            return Looked::Done(Ok(result));
        }
        let time_is_up = time_is_up.take();
        self.deadlines().apply(machine);
        match run_guest(machine) {
            Err(error) => Looked::Done(Err(JoinError::Failed(Arc::new(error)))),
            Ok(Pause::Ended) => Looked::Done(Err(JoinError::Over)),
            Ok(Pause::Interrupted | Pause::Alarm) => Looked::Again,
            Ok(Pause::ThreadEnded(thread)) => {
                self.deadlines().ended(thread);
                self.in_flight.notify();
                Looked::Again
            }
            Ok(Pause::CallReturned(_)) => {
                self.in_flight.notify();
                Looked::Again
            }
            Ok(Pause::Waiting { deadline }) => self.waiting(machine, deadline, since, time_is_up),
        }
    }

    /// No thread can go on before this deadline of one: time passes at once, but as real time does while calls are in flight.
    fn waiting<R>(
        &self,
        machine: &mut Machine,
        deadline: Option<u64>,
        since: u64,
        time_is_up: Option<u64>,
    ) -> Looked<R> {
        let in_flight = self.in_flight.any();
        let alarm = machine.alarm().filter(|_| in_flight);
        match deadline.into_iter().chain(alarm).min() {
            None if in_flight => Looked::Outside(Outside {
                since,
                deadline: None,
            }),
            None => Looked::Done(Err(JoinError::Blocked)),
            Some(until) if !in_flight || time_is_up == Some(until) => {
                // It is refused only where nobody waits for this time.
                let _ = match deadline {
                    Some(deadline) if deadline == until => machine.elapse(),
                    _ => machine.elapse_to(until),
                };
                Looked::Again
            }
            Some(until) => {
                let time = Duration::from_nanos(until.saturating_sub(machine.now()));
                Looked::Outside(Outside {
                    since,
                    deadline: Some((until, time)),
                })
            }
        }
    }
}
