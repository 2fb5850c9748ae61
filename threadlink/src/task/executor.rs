//! The executor of a thread: its tasks, and the queue of those that are ready.
//!
//! Tasks run in the order in which they were made ready. In a round, those run that were ready when it
//! began; then it is looked whether other threads made any ready. A run ends when there is nothing
//! to begin a round with.
//!
//! No cell of the executor is borrowed while code of a task runs, be it a poll, a waker or a destructor: all
//! of them may come back and spawn, wake and cancel.

use core::cell::{Cell, OnceCell, RefCell};
use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc;

use super::cell::{Alone, Run, Sink, TaskCell, dropped};
use super::host::Host;
use super::join::{JoinError, JoinHandle};
use super::wake::{Handle, Header, Mailbox, TaskId};
use crate::abi::Polled;
use crate::sys::entry;

thread_local! {
    static EXECUTOR: Executor = const { Executor::new() };
}

/// The index of the future that [`block_on`] polls, which is no task.
const ROOT: u32 = u32::MAX;

/// A place for a task.
struct Slot {
    generation: u32,
    task: Option<Rc<dyn Run>>,
    /// Of the task that was here before.
    spare: Option<Handle>,
}

struct Slots {
    all: Vec<Slot>,
    free: Vec<u32>,
}

struct Executor {
    mailbox: OnceCell<Arc<Mailbox>>,
    /// Names in it may be of tasks that have ended.
    ready: RefCell<VecDeque<TaskId>>,
    slots: RefCell<Slots>,
    /// Tasks that have not ended.
    live: Cell<usize>,
    running: Cell<Option<By>>,
    /// How many futures were blocked on.
    roots: Cell<u32>,
    host: Host,
}

/// Who runs tasks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// Somebody who comes back when all are blocked.
    Host,
    /// A thread that is blocked when they are.
    Thread,
}

/// Ends a run, also one that unwinds.
struct Running<'a>(&'a Cell<Option<By>>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}

impl Executor {
    const fn new() -> Executor {
        Executor {
            mailbox: OnceCell::new(),
            ready: RefCell::new(VecDeque::new()),
            slots: RefCell::new(Slots {
                all: Vec::new(),
                free: Vec::new(),
            }),
            live: Cell::new(0),
            running: Cell::new(None),
            roots: Cell::new(0),
            host: Host::new(),
        }
    }

    fn mailbox(&self) -> &Arc<Mailbox> {
        self.mailbox.get_or_init(Arc::default)
    }

    /// A place for a task, and the handle of the task that will be there. Nothing, if there are too many.
    fn place(&self) -> Option<(u32, Handle)> {
        let mut slots = self.slots.borrow_mut();
        let (index, spare) = match slots.free.pop() {
            Some(index) => {
                let slot = &mut slots.all[index as usize];
                (index, slot.spare.take())
            }
            None => {
                let index = u32::try_from(slots.all.len()).ok();
                let index = index.filter(|&index| index != ROOT)?;
                slots.all.push(Slot {
                    generation: 0,
                    task: None,
                    spare: None,
                });
                (index, None)
            }
        };
        let generation = slots.all[index as usize].generation;
        let handle = spare.unwrap_or_else(|| {
            let id = TaskId { index, generation };
            Handle::new(Header::new(Arc::clone(self.mailbox()), id))
        });
        Some((index, handle))
    }

    fn enqueue(&self, header: &Header) {
        if header.enqueue() {
            self.ready.borrow_mut().push_back(header.id());
        }
    }

    /// The task of this name, unless it has ended.
    fn task(&self, id: TaskId) -> Option<Rc<dyn Run>> {
        let slots = self.slots.borrow();
        let slot = slots.all.get(id.index as usize)?;
        if slot.generation == id.generation {
            slot.task.clone()
        } else {
            None
        }
    }

    /// Gives the place of a task that has ended to another one.
    fn ended(&self, handle: Handle) {
        self.live.set(self.live.get() - 1);
        let index = handle.header.id().index;
        let mut slots = self.slots.borrow_mut();
        let slot = &mut slots.all[index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.spare = handle.renew(slot.generation);
        let task = slot.task.take();
        slots.free.push(index);
        drop(slots);
        // With it goes the result, if nobody waits for it: a value of somebody else's. There is nobody to tell of a
        // panic.
        drop(dropped(task));
    }

    fn step(&self, id: TaskId) {
        let Some(task) = self.task(id) else {
            return;
        };
        let handle = task.run();
        // Not the last count, which `ended` drops.
        drop(task);
        if let Some(handle) = handle {
            self.ended(handle);
        }
    }

    /// Moves what other threads made ready behind what is.
    fn receive(&self, letters: &mut Vec<Arc<Header>>) {
        self.mailbox().collect(letters);
        for header in letters.drain(..) {
            header.received();
            self.enqueue(&header);
        }
    }

    fn enter(&self, by: By) -> Result<Running<'_>, RunError> {
        if self.running.get().is_some() {
            return Err(RunError::Reentered);
        }
        self.running.set(Some(by));
        if by == By::Host {
            self.host.enter();
        }
        Ok(Running(&self.running))
    }

    /// Runs what is ready, and what that makes ready, until nothing is or `enough`. What `root` is called for is the
    /// future that is blocked on.
    fn run(&self, mut root: impl FnMut(u32), enough: impl Fn() -> bool) {
        let mut letters = Vec::new();
        loop {
            self.receive(&mut letters);
            let round = self.ready.borrow().len();
            if round == 0 {
                return;
            }
            for _ in 0..round {
                let Some(id) = self.ready.borrow_mut().pop_front() else {
                    break;
                };
                if id.index == ROOT {
                    root(id.generation);
                } else {
                    self.step(id);
                }
                if enough() {
                    return;
                }
            }
        }
    }

    fn progress(&self) -> Progress<()> {
        match self.live.get() {
            0 => Progress::Done(()),
            _ => Progress::Blocked,
        }
    }
}

impl Drop for Executor {
    /// The thread ends: its tasks are cancelled. What their destructors spawn is refused.
    fn drop(&mut self) {
        if let Some(mailbox) = self.mailbox.get() {
            mailbox.close();
        }
        let slots = core::mem::take(&mut self.slots.get_mut().all);
        for slot in slots {
            if let Some(task) = slot.task {
                drop(task.cancel());
                drop(dropped(task));
            }
        }
    }
}

/// Puts a task into the ready queue, if the caller is on its thread. Returns whether it is.
pub(super) fn wake_local(header: &Header) -> bool {
    let wake = |executor: &Executor| {
        let mailbox = executor.mailbox.get();
        let own = mailbox.is_some_and(|mailbox| Arc::ptr_eq(mailbox, header.mailbox()));
        if own {
            executor.enqueue(header);
        }
        own
    };
    EXECUTOR.try_with(wake).unwrap_or(false)
}

/// Spawns a task on the calling thread. Also returns its name, unless it was refused.
pub(super) fn insert<F, S>(
    future: F,
    sink: S,
    cancelled: bool,
) -> (JoinHandle<S::Output>, Option<TaskId>)
where
    F: Future + 'static,
    S: Sink<F::Output> + 'static,
    S::Output: 'static,
{
    let place = EXECUTOR.try_with(Executor::place).ok().flatten();
    let Some((index, handle)) = place else {
        return (JoinHandle::new(TaskCell::refused(future, sink)), None);
    };
    let header = Arc::clone(&handle.header);
    if cancelled {
        header.set_cancelled();
    }
    let task = TaskCell::new(future, sink, handle);
    let joined = Rc::clone(&task);
    EXECUTOR.with(|executor| {
        executor.slots.borrow_mut().all[index as usize].task = Some(task);
        executor.live.set(executor.live.get() + 1);
        executor.enqueue(&header);
    });
    (JoinHandle::new(joined), Some(header.id()))
}

/// Cancels a task of the calling thread: its future is dropped when its turn comes.
pub(super) fn abort(id: TaskId) {
    let task = EXECUTOR.try_with(|executor| executor.task(id));
    if let Ok(Some(task)) = task
        && let Some(header) = task.header()
    {
        header.abort();
    }
}

/// Cancels a task of the calling thread, and drops its future now, if it is not the one that runs.
pub(super) fn cancel(id: TaskId) {
    let task = EXECUTOR.try_with(|executor| executor.task(id));
    let Ok(Some(task)) = task else {
        return;
    };
    let handle = task.cancel();
    drop(task);
    if let Some(handle) = handle {
        // Nobody is told where the thread has ended meanwhile, and the places with it.
        let _ = EXECUTOR.try_with(|executor| executor.ended(handle));
    }
}

/// What the thread knows of its host.
pub(super) fn host<R>(f: impl FnOnce(&Host) -> R) -> Option<R> {
    EXECUTOR.try_with(|executor| f(&executor.host)).ok()
}

/// Whether the tasks of the calling thread are run by [`block_on`].
pub(super) fn blocks() -> bool {
    let blocks = EXECUTOR.try_with(|executor| executor.running.get() == Some(By::Thread));
    blocks.unwrap_or(true)
}

/// Why tasks were not run.
///
/// ```
/// # use threadlink::task::{self, RunError};
/// let nested = task::block_on(async { task::poll() });
/// assert_eq!(nested, Ok(Err(RunError::Reentered)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// The caller is a task of this thread, or was called by one: its tasks are being run.
    Reentered,
    /// All tasks are blocked, and the target has nothing to wait with: no other thread could wake them.
    Unsupported,
    /// The thread is ending, and its tasks have ended.
    ThreadEnded,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RunError::Reentered => {
                "tasks of this thread are being run: it cannot be done from within one"
            }
            RunError::Unsupported => {
                "all tasks are blocked, and this target cannot block a thread; \
                 return to the host, which calls `threadlink_poll`"
            }
            RunError::ThreadEnded => "the thread is ending, and its tasks have ended",
        })
    }
}

impl core::error::Error for RunError {}

/// How far tasks got before those that are left were all blocked.
///
/// ```
/// # use threadlink::task::{self, Progress};
/// let (sender, receiver) = task::oneshot::channel::<u32>();
/// assert_eq!(task::run_async_main(receiver), Ok(Progress::Blocked));
/// sender.send(5).unwrap();
/// assert_eq!(task::poll(), Ok(Progress::Done(())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// To the end.
    Done(T),
    /// What was asked for has not ended, and no task can go on before another thread or the host
    /// wakes one.
    Blocked,
}

impl<T> Progress<T> {
    /// What it came to in the end.
    ///
    /// ```
    /// # use threadlink::task::Progress;
    /// assert_eq!(Progress::Done(5).done(), Some(5));
    /// ```
    #[must_use]
    pub fn done(self) -> Option<T> {
        match self {
            Progress::Done(value) => Some(value),
            Progress::Blocked => None,
        }
    }
}

/// Spawns a task on the calling thread, behind those that are ready. It runs whenever the tasks of the thread are run:
/// by [`poll`], [`run_async_main`] or [`block_on`].
///
/// ```
/// # use threadlink::task;
/// let result = task::block_on(async {
///     let one = task::spawn(async { 1 });
///     let two = task::spawn(async { 2 });
///     one.await.unwrap() + two.await.unwrap()
/// });
/// assert_eq!(result, Ok(3));
/// ```
///
/// A thread has at most 2^32 - 1 tasks that have not ended. One more is cancelled from the start, as is one that
/// a thread-local's destructor spawns after those of the thread have ended.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    insert(future, Alone, false).0
}

/// Runs the tasks of the calling thread until all that are left are blocked.
///
/// [`Progress::Done`] if none is left. What runs makes others ready, and those run as well: after [`Progress::Blocked`]
/// there is nothing to do before another thread or the host wakes a task. A task that is never blocked, because it
/// [pauses](super::pause) for ever, keeps this from returning.
///
/// ```
/// # use threadlink::task::{self, Progress};
/// let (sender, receiver) = task::oneshot::channel();
/// let task = task::spawn(async move { receiver.await.unwrap() * 2 });
/// assert_eq!(task::poll(), Ok(Progress::Blocked));
/// sender.send(21).unwrap();
/// assert_eq!(task::poll(), Ok(Progress::Done(())));
/// assert_eq!(task.try_join().unwrap().unwrap(), 42);
/// ```
///
/// # Errors
///
/// [`RunError::Reentered`] within a task.
pub fn poll() -> Result<Progress<()>, RunError> {
    let polled = EXECUTOR.try_with(|executor| {
        let _running = executor.enter(By::Host)?;
        executor.run(|_| {}, || false);
        Ok(executor.progress())
    });
    polled.unwrap_or(Err(RunError::ThreadEnded))
}

/// Spawns the main task, and runs the tasks of the calling thread until that has ended, or all that are left are blocked.
///
/// It never blocks the thread: with [`Progress::Blocked`], a module returns to its host, which goes on with the tasks by the export
/// of [`export_poll!`](crate::export_poll), and a native program by [`poll`]. Either goes on with the main task and
/// all others. Who wants to have the result of a main task that was blocked, keeps it within that, or uses
/// [`spawn`] and [`poll`].
///
/// The host calls in as the thread that has called this, which is the first one.
///
/// When the main task has ended, others are not waited for, as threads are not when `main` returns; a [`group`](super::group)
/// waits for its children. Those that are left stay, and run when tasks of the thread are run again.
///
/// ```
/// # use threadlink::task::{self, Progress};
/// let done = task::run_async_main(async {
///     task::pause().await;
///     5
/// });
/// assert_eq!(done, Ok(Progress::Done(5)));
/// let blocked = task::run_async_main(core::future::pending::<()>());
/// assert_eq!(blocked, Ok(Progress::Blocked));
/// ```
///
/// # Errors
///
/// [`RunError::Reentered`] within a task.
///
/// # Panics
///
/// If the main task does before this returns, with its payload.
pub fn run_async_main<F>(main: F) -> Result<Progress<F::Output>, RunError>
where
    F: Future + 'static,
    F::Output: 'static,
{
    entry::remember();
    let polled = EXECUTOR.try_with(|executor| {
        let _running = executor.enter(By::Host)?;
        let main = spawn(main);
        executor.run(|_| {}, || main.is_finished());
        Ok(main.try_join())
    });
    match polled.unwrap_or(Err(RunError::ThreadEnded))? {
        None => Ok(Progress::Blocked),
        Some(Ok(output)) => Ok(Progress::Done(output)),
        Some(Err(JoinError::Panicked(payload))) => resume_unwind(payload),
        // Nobody else has a handle of it.
        Some(Err(JoinError::Cancelled | JoinError::Failed)) => Err(RunError::ThreadEnded),
    }
}

/// Runs the tasks of the calling thread until this future is ready. While all are blocked, the thread is.
///
/// ```
/// # use threadlink::{task, thread};
/// let answer = task::block_on(async {
///     let (sender, receiver) = task::oneshot::channel();
///     thread::spawn(move || sender.send(42));
///     receiver.await
/// });
/// assert_eq!(answer, Ok(Ok(42)));
/// ```
///
/// If nobody ever wakes a task, it blocks for ever: a deadlock, and under `grind` reported as one.
///
/// # Errors
///
/// [`RunError::Reentered`] within a task. [`RunError::Unsupported`] if all tasks are blocked on a target that has no
/// threads, which on WebAssembly is one without atomics; the future is dropped, other tasks stay.
///
/// # Panics
///
/// If the future does.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, RunError> {
    let done = EXECUTOR.try_with(|executor| {
        let _running = executor.enter(By::Thread)?;
        let generation = executor.roots.get();
        executor.roots.set(generation.wrapping_add(1));
        let id = TaskId {
            index: ROOT,
            generation,
        };
        let handle = Handle::new(Header::new(Arc::clone(executor.mailbox()), id));
        let mut cx = Context::from_waker(&handle.waker);
        let mut future = pin!(future);
        let (mut output, ready) = (None, Cell::new(false));
        executor.enqueue(&handle.header);
        loop {
            let poll_root = |of| {
                // Not a name that one of before has left behind.
                if of == generation {
                    handle.header.dequeue();
                    if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                        output = Some(value);
                        ready.set(true);
                    }
                }
            };
            executor.run(poll_root, || ready.get());
            if let Some(value) = output {
                return Ok(value);
            }
            if !entry::CAN_BLOCK {
                return Err(RunError::Unsupported);
            }
            executor.mailbox().park();
        }
    });
    done.unwrap_or(Err(RunError::ThreadEnded))
}

/// What the export of [`export_poll!`](crate::export_poll) does.
#[doc(hidden)]
#[must_use]
pub fn __poll_export() -> i32 {
    entry::restore();
    polled().code()
}

/// Apart from the caller: what it reads of thread-local storage must not be read before that is there.
#[inline(never)]
fn polled() -> Polled {
    match poll() {
        Ok(Progress::Done(())) => Polled::Done,
        Ok(Progress::Blocked) => Polled::Blocked,
        Err(_) => Polled::Refused,
    }
}
