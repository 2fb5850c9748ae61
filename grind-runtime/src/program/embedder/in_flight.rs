//! Calls of asynchronous functions of the embedder that are in flight.
//!
//! A thread of the guest that calls such a function is blocked by a key of its own, as by [`Reply::Block`], until
//! the future is ready; then the function is called again, and takes the result. What it does to the guest is recorded as
//! that of any function of the embedder, so that a run which is repeated needs neither the future nor its executor.
//!
//! A guest can also begin a call and go on, and takes what came of it later (`threadlink::host`): such a call has a number of the
//! guest's.
//!
//! There are [`MOST_CALLS`] at most in one run, in flight or done and not taken; a thread that begins another traps.

use super::{Guest, HostError, RESERVED_KEYS, Reply, panicked};
use crate::model::{Control, Sleeper, ThreadId};
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, abortable};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::fmt;
use std::hint;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A future of an [`Executor`].
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where the futures of asynchronous functions run. `tokio::runtime::Handle` is one, with feature `tokio`.
pub trait Executor: fmt::Debug + Send + Sync {
    /// Runs a future to its end, beside whoever calls this. To wake it schedules it, and does not poll it at once.
    fn spawn(&self, task: Task);

    /// Calls `poll`, which polls a future once, on the calling thread: where a future may look for its executor, as those of tokio
    /// do, it shall find it.
    fn enter(&self, poll: &mut dyn FnMut()) {
        poll();
    }

    /// A future that is ready when so much time has passed. That of tokio needs a runtime with `enable_time`.
    fn sleep(&self, time: Duration) -> Task;
}

/// What a future came to: how the result gets into the guest, and what that is.
pub(super) type Finish = Box<dyn FnOnce(&mut Guest<'_>) -> Result<Reply<u64>, HostError> + Send>;

/// The same, or why it came to nothing.
pub(super) type Came = Result<Finish, HostError>;

/// A future of such a call.
pub(super) type CallFuture = Pin<Box<dyn Future<Output = Came> + Send>>;

/// How often who waits looks before it sleeps, some microseconds in all: to be woken by the system takes as long.
const SPINS: u32 = 400;

/// Calls of a run that are in flight, or done and not taken by the guest: a gigabyte or so.
pub(crate) const MOST_CALLS: usize = 1 << 20;

/// Why an asynchronous function traps where its future has nowhere to run.
pub(super) const NO_EXECUTOR: &str = "an asynchronous function of the host needs an executor \
    (`RunOptions::executor`) and a run that is driven by a `ThreadRuntime`";

/// Why none begins where nobody waits for it.
const OVER: &str = "the run is over";

/// The key by which a thread waits for its call.
pub(super) fn key(thread: ThreadId) -> u64 {
    RESERVED_KEYS | 1 << 62 | u64::from(thread.0)
}

/// The calls of one run.
pub(crate) struct InFlight {
    executor: Option<Arc<dyn Executor>>,
    control: Arc<Control>,
    state: Mutex<State>,
    /// Counts calls, and what happens. It is changed with the state locked.
    counter: AtomicU64,
    /// Something happened that whoever waits for the run wants to know of.
    news: Condvar,
}

#[derive(Default)]
struct State {
    calls: FxHashMap<Caller, InCall>,
    /// Threads that wait for a call which is done, and were not woken yet.
    done: VecDeque<ThreadId>,
    /// What came of calls that no thread waits for, by the thread that began them.
    completed: FxHashMap<ThreadId, VecDeque<(u32, Came)>>,
    /// How many of these there are.
    untaken: usize,
    /// What asynchronous functions of the guest came to which the host awaits, by the number that it gave the call.
    awaited: FxHashMap<u32, Option<u64>>,
    /// Who waits for the run, asynchronously.
    wakers: Vec<Waker>,
    /// Ends the sleep of who waits asynchronously.
    timer: Option<AbortHandle>,
    /// The run is over: no call begins any more.
    closed: bool,
}

impl State {
    /// Keeps what came of a call that the thread does not wait for until it takes it.
    fn complete(&mut self, thread: ThreadId, call: u32, came: Came) {
        let completed = self.completed.entry(thread).or_default();
        completed.push_back((call, came));
        self.untaken += 1;
    }

    /// Takes one of those that the thread does not wait for.
    fn take_completed(
        &mut self,
        thread: ThreadId,
        which: impl FnOnce(&mut VecDeque<(u32, Came)>) -> Option<(u32, Came)>,
    ) -> Option<(u32, Came)> {
        let completed = self.completed.get_mut(&thread)?;
        let taken = which(completed)?;
        if completed.is_empty() {
            self.completed.remove(&thread);
        }
        self.untaken -= 1;
        Some(taken)
    }

    /// Whether another call can be in flight.
    fn room_for(&self, caller: Caller) -> Result<(), HostError> {
        if self.closed {
            return Err(HostError::new(OVER));
        }
        if self.calls.contains_key(&caller) {
            return Err(HostError::new("a call of this number is in flight"));
        }
        match self.calls.len() + self.untaken < MOST_CALLS {
            true => Ok(()),
            false => Err(HostError::new("too many calls of the host are in flight")),
        }
    }
}

/// Who called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    /// A thread that waits.
    Waits(ThreadId),
    /// One that goes on, by a number of its own.
    GoesOn(ThreadId, u32),
}

impl Caller {
    fn thread(self) -> ThreadId {
        match self {
            Caller::Waits(thread) | Caller::GoesOn(thread, _) => thread,
        }
    }
}

struct InCall {
    /// Which of the run.
    number: u64,
    abort: AbortHandle,
    came: Option<Came>,
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f.debug_struct("InFlight").field("executor", &self.executor)).finish_non_exhaustive()
    }
}

impl Sleeper for InFlight {
    fn wake(&self) {
        self.notify();
    }
}

/// How a call begins.
pub(super) enum Begun {
    Ready(Came),
    Pending,
}

impl InFlight {
    pub(crate) fn new(executor: Option<Arc<dyn Executor>>, control: Arc<Control>) -> Arc<InFlight> {
        let calls = Arc::new(InFlight {
            executor,
            control,
            state: Mutex::default(),
            counter: AtomicU64::new(0),
            news: Condvar::new(),
        });
        let sleeper: Weak<InFlight> = Arc::downgrade(&calls);
        calls.control.wakes(sleeper);
        calls
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call. The future is polled once here, and goes to the executor only if it is not ready then.
    ///
    /// # Errors
    /// Why there can be no such call.
    pub(super) fn begin(
        self: &Arc<Self>,
        caller: Caller,
        future: CallFuture,
    ) -> Result<Begun, HostError> {
        let Some(executor) = &self.executor else {
            return Err(HostError::new(NO_EXECUTOR));
        };
        self.state().room_for(caller)?;
        let mut call = AssertUnwindSafe(future)
            .catch_unwind()
            .map(|came| came.unwrap_or_else(|payload| Err(panicked(&*payload))));
        let mut first = Poll::Pending;
        executor.enter(&mut || {
            first = call.poll_unpin(&mut Context::from_waker(Waker::noop()));
        });
        if let Poll::Ready(came) = first {
            return Ok(Begun::Ready(came));
        }
        let (call, abort) = abortable(call);
        let number = {
            let mut state = self.state();
            state.room_for(caller)?;
            let number = self.counter.fetch_add(1, Ordering::SeqCst);
            let in_call = InCall {
                number,
                abort,
                came: None,
            };
            state.calls.insert(caller, in_call);
            number
        };
        let mut completion = Completion {
            run: Arc::downgrade(self),
            caller,
            number,
        };
        executor.spawn(Box::pin(async move {
            // Who aborts it has forgotten it before.
            if let Ok(came) = call.await {
                completion.complete(came);
            }
        }));
        Ok(Begun::Pending)
    }

    /// What came of the call that this thread waits for, if it is done.
    pub(super) fn take(&self, thread: ThreadId) -> Option<Came> {
        let mut state = self.state();
        let caller = Caller::Waits(thread);
        let came = state.calls.get_mut(&caller)?.came.take()?;
        state.calls.remove(&caller);
        Some(came)
    }

    /// What came of the next call that is done and that this thread did not wait for.
    pub(super) fn take_completed(&self, thread: ThreadId) -> Option<(u32, Came)> {
        self.state().take_completed(thread, VecDeque::pop_front)
    }

    /// Whether there is one.
    pub(crate) fn has_completed(&self, thread: ThreadId) -> bool {
        self.state().completed.contains_key(&thread)
    }

    /// A call that no thread waits for is done.
    pub(super) fn completed(&self, thread: ThreadId, call: u32, came: Came) {
        self.state().complete(thread, call, came);
    }

    /// The host awaits an asynchronous function of the guest, until it [forgets](InFlight::forget) that.
    pub(crate) fn awaits(&self, call: u32) {
        self.state().awaited.insert(call, None);
    }

    /// The host awaits it no more.
    pub(crate) fn forget(&self, call: u32) {
        self.state().awaited.remove(&call);
    }

    /// It came to this. What nobody awaits is dropped.
    pub(super) fn resolve(&self, call: u32, bits: u64) {
        let mut state = self.state();
        if let Some(awaited) = state.awaited.get_mut(&call) {
            awaited.get_or_insert(bits);
            self.tell(state);
            self.control.interrupt();
        }
    }

    /// What it came to, if it did.
    pub(crate) fn resolved(&self, call: u32) -> Option<u64> {
        *self.state().awaited.get(&call)?
    }

    fn complete(&self, caller: Caller, number: u64, came: Came) {
        let mut state = self.state();
        let Some(call) = state.calls.get_mut(&caller) else {
            return;
        };
        if call.number != number || call.came.is_some() {
            return;
        }
        match caller {
            Caller::Waits(thread) => {
                call.came = Some(came);
                state.done.push_back(thread);
            }
            Caller::GoesOn(thread, call) => {
                state.calls.remove(&caller);
                state.complete(thread, call, came);
            }
        }
        self.tell(state);
        // Whoever lets the guest run at this moment wakes the thread.
        self.control.interrupt();
    }

    /// Drops a call that this thread did not wait for, and what came of it.
    pub(super) fn give_up(&self, thread: ThreadId, call: u32) {
        let mut state = self.state();
        let in_flight = state.calls.remove(&Caller::GoesOn(thread, call));
        let came = state.take_completed(thread, |completed| {
            let at = completed.iter().position(|(number, _)| *number == call)?;
            completed.remove(at)
        });
        // What the embedder gave may do anything when it is dropped.
        drop(state);
        if let Some(in_flight) = in_flight {
            in_flight.abort.abort();
        }
        drop(came);
    }

    /// Drops the calls of a thread that has ended.
    pub(crate) fn cancel(&self, thread: ThreadId) {
        let (calls, completed) = {
            let mut state = self.state();
            let of_thread = |caller: &Caller, _: &mut InCall| caller.thread() == thread;
            let calls: Vec<_> = state.calls.extract_if(of_thread).collect();
            let completed = state.completed.remove(&thread).unwrap_or_default();
            state.untaken -= completed.len();
            (calls, completed)
        };
        for (_, call) in calls {
            call.abort.abort();
        }
        drop(completed);
    }

    /// Drops all calls.
    pub(crate) fn close(&self) {
        let (calls, completed, timer, news) = {
            let mut state = self.state();
            state.closed = true;
            state.done.clear();
            state.untaken = 0;
            let calls = std::mem::take(&mut state.calls);
            let completed = std::mem::take(&mut state.completed);
            (calls, completed, state.timer.take(), state)
        };
        self.tell(news);
        for abort in calls.into_values().map(|call| call.abort).chain(timer) {
            abort.abort();
        }
        drop(completed);
    }

    /// Threads whose calls are done, to be woken by their keys.
    pub(crate) fn done(&self) -> impl Iterator<Item = u64> {
        let done = std::mem::take(&mut self.state().done);
        done.into_iter().map(key)
    }

    /// Whether calls are in flight.
    pub(crate) fn any(&self) -> bool {
        !self.state().calls.is_empty()
    }

    /// Something happened in the run, or was done to it: whoever waits looks again.
    pub(crate) fn notify(&self) {
        self.tell(self.state());
    }

    fn tell(&self, mut state: MutexGuard<'_, State>) {
        self.counter.fetch_add(1, Ordering::SeqCst);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.news.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// How far it is: to be asked for before one looks, and given to [`InFlight::wait`].
    pub(crate) fn now(&self) -> u64 {
        self.counter.load(Ordering::SeqCst)
    }

    /// Waits until something happens behind `since`, so long at most.
    pub(crate) fn wait(&self, since: u64, at_most: Option<Duration>) {
        for _ in 0..SPINS {
            if self.now() != since {
                return;
            }
            hint::spin_loop();
        }
        let state = self.state();
        let same = |_: &mut State| self.now() == since;
        match at_most {
            None => drop(self.news.wait_while(state, same)),
            Some(time) => drop(self.news.wait_timeout_while(state, time, same)),
        }
    }

    /// Wakes who waits asynchronously when something happens.
    pub(crate) fn register(&self, waker: &Waker) {
        let mut state = self.state();
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
    }

    /// Wakes who waits asynchronously when so much time has passed. It takes the place of an earlier one.
    pub(crate) fn wake_after(self: &Arc<Self>, time: Duration) {
        // There are no calls without one.
        let Some(executor) = &self.executor else {
            return;
        };
        let run = Arc::downgrade(self);
        let (sleep, abort) = abortable(executor.sleep(time));
        let before = self.state().timer.replace(abort);
        if let Some(before) = before {
            before.abort();
        }
        executor.spawn(Box::pin(async move {
            if sleep.await.is_ok()
                && let Some(run) = run.upgrade()
            {
                run.notify();
            }
        }));
    }
}

/// Says what came of a call; that it was dropped, if nothing else was said.
struct Completion {
    run: Weak<InFlight>,
    caller: Caller,
    number: u64,
}

impl Completion {
    fn complete(&mut self, came: Came) {
        if let Some(run) = self.run.upgrade() {
            run.complete(self.caller, self.number, came);
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        self.complete(Err(HostError::new(
            "its executor dropped the call before it was done",
        )));
    }
}

#[cfg(feature = "tokio")]
impl Executor for tokio::runtime::Handle {
    fn spawn(&self, task: Task) {
        drop(tokio::runtime::Handle::spawn(self, task));
    }

    fn enter(&self, poll: &mut dyn FnMut()) {
        let _entered = tokio::runtime::Handle::enter(self);
        poll();
    }

    fn sleep(&self, time: Duration) -> Task {
        let _entered = tokio::runtime::Handle::enter(self);
        Box::pin(tokio::time::sleep(time))
    }
}
