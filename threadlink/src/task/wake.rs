//! What a waker of a task is: a name of the task, and the way to its thread.
//!
//! A task is woken far more often by its own thread than by others, so the two go different ways.
//! On its own thread, its name goes to the end of the executor's ready queue, and nothing of that
//! is more than a plain load and store. From any other thread, the header itself goes into the mailbox
//! of the executor, under a mutex, and the executor looks into it between rounds.
//!
//! Each way has a flag of its own that keeps a task from being there twice. The remote one must be a
//! read-modify-write on both sides: a waker that finds it set has written its data before, and
//! whoever clears it has to see them.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use core::task::Waker;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use super::executor;

/// A task of a thread. The index is given again when the task has ended, with another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskId {
    pub(super) index: u32,
    pub(super) generation: u32,
}

/// What other threads know of an executor.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    /// Whether there may be letters. Written under the lock; read without it.
    filled: AtomicBool,
    inner: Mutex<Letters>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Letters {
    woken: Vec<Arc<Header>>,
    /// The executor is gone.
    closed: bool,
    /// Its thread waits for a letter.
    parked: bool,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, header: Arc<Header>) {
        let mut letters = self.lock();
        if letters.closed {
            drop(letters);
            // May be the last count of the mailbox.
            drop(header);
            return;
        }
        // As `push`, of which guests without tasks would have the code: it is merged with that of scoped threads.
        letters.woken.extend([header]);
        self.filled.store(true, Ordering::Release);
        if letters.parked {
            self.arrived.notify_one();
        }
    }

    /// Moves the letters to `into`, oldest first.
    pub(super) fn collect(&self, into: &mut Vec<Arc<Header>>) {
        if self.filled.load(Ordering::Acquire) {
            let mut letters = self.lock();
            self.filled.store(false, Ordering::Relaxed);
            into.append(&mut letters.woken);
        }
    }

    /// Blocks the thread until there is a letter.
    pub(super) fn park(&self) {
        let mut letters = self.lock();
        letters.parked = true;
        while letters.woken.is_empty() {
            letters = (self.arrived.wait(letters)).unwrap_or_else(PoisonError::into_inner);
        }
        letters.parked = false;
    }

    /// Further letters go nowhere: kept, they would keep the mailbox that they are in.
    pub(super) fn close(&self) {
        let mut letters = self.lock();
        letters.closed = true;
        let woken = core::mem::take(&mut letters.woken);
        drop(letters);
        drop(woken);
    }
}

/// What wakers and abort handles of a task share.
#[derive(Debug)]
pub(super) struct Header {
    mailbox: Arc<Mailbox>,
    index: u32,
    /// Only the own thread reads and writes it, the latter while nobody else has the header.
    generation: AtomicU32,
    /// The name is in the ready queue. Only the own thread reads and writes it.
    queued: AtomicBool,
    /// The header is in the mailbox.
    sent: AtomicBool,
    cancelled: AtomicBool,
}

impl Header {
    pub(super) fn new(mailbox: Arc<Mailbox>, id: TaskId) -> Header {
        Header {
            mailbox,
            index: id.index,
            generation: AtomicU32::new(id.generation),
            queued: AtomicBool::new(false),
            sent: AtomicBool::new(false),
            cancelled: AtomicBool::new(false),
        }
    }

    pub(super) fn id(&self) -> TaskId {
        TaskId {
            index: self.index,
            generation: self.generation.load(Ordering::Relaxed),
        }
    }

    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Whether the caller, on the task's own thread, has to put it into the ready queue.
    pub(super) fn enqueue(&self) -> bool {
        let first = !self.queued.load(Ordering::Relaxed);
        if first {
            self.queued.store(true, Ordering::Relaxed);
        }
        first
    }

    /// The task was taken out of the ready queue.
    pub(super) fn dequeue(&self) {
        self.queued.store(false, Ordering::Relaxed);
    }

    /// The header was taken out of the mailbox.
    pub(super) fn received(&self) {
        self.sent.swap(false, Ordering::AcqRel);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// What is polled next is the end of the task.
    pub(super) fn set_cancelled(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    /// Cancels the task, from any thread.
    pub(super) fn abort(self: &Arc<Self>) {
        self.set_cancelled();
        self.wake_by_ref();
    }
}

impl Wake for Header {
    fn wake(self: Arc<Self>) {
        if !executor::wake_local(&self) && !self.sent.swap(true, Ordering::AcqRel) {
            let mailbox = Arc::clone(&self.mailbox);
            mailbox.send(self);
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !executor::wake_local(self) && !self.sent.swap(true, Ordering::AcqRel) {
            self.mailbox.send(Arc::clone(self));
        }
    }
}

/// A header, and the waker that is made of it. The waker is kept because making one for each poll
/// would count the header up and down.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) header: Arc<Header>,
    pub(super) waker: Waker,
}

impl Handle {
    pub(super) fn new(header: Header) -> Handle {
        let header = Arc::new(header);
        Handle {
            waker: Waker::from(Arc::clone(&header)),
            header,
        }
    }

    /// Makes it that of a new task in the same place, unless somebody still has a waker of the old one.
    pub(super) fn renew(self, generation: u32) -> Option<Handle> {
        // Its own count and that of its waker. There are no weak ones, so nobody else can add to two.
        if Arc::strong_count(&self.header) != 2 {
            return None;
        }
        // What others did before they dropped theirs comes before what follows.
        fence(Ordering::Acquire);
        let header = &*self.header;
        header.generation.store(generation, Ordering::Relaxed);
        header.queued.store(false, Ordering::Relaxed);
        header.sent.store(false, Ordering::Relaxed);
        header.cancelled.store(false, Ordering::Relaxed);
        Some(self)
    }
}
