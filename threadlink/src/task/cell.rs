//! A task: its future, until it has ended, and what comes of it, until somebody takes it.
//!
//! The executor has it as a [`Run`], its join handle as a [`Joined`]: two views of one allocation, neither of
//! which knows the type of the future. The future has an allocation of its own, so that it can be
//! pinned, and dropped as soon as the task ends, without a line of `unsafe`.

use core::any::Any;
use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use super::join::JoinError;
use super::wake::{Handle, Header};

/// What the end of a task means for whoever looks after it: nothing but its result, or that of a child of
/// a group.
pub(super) trait Sink<O> {
    /// What the join handle returns.
    type Output;

    /// The task has ended, and its future is dropped.
    fn end(self, result: Result<O, JoinError>) -> Result<Self::Output, JoinError>;
}

/// A task that belongs to nobody.
pub(super) struct Alone;

impl<O> Sink<O> for Alone {
    type Output = O;

    fn end(self, result: Result<O, JoinError>) -> Result<O, JoinError> {
        result
    }
}

/// What the executor does with a task. Each returns the handle of a task that has ended with it.
pub(super) trait Run {
    /// Polls the future, or drops it if the task was cancelled.
    fn run(&self) -> Option<Handle>;

    /// Drops the future now. If it is just being polled, it is dropped after that.
    fn cancel(&self) -> Option<Handle>;

    /// The header, unless the task has ended.
    fn header(&self) -> Option<Arc<Header>>;
}

/// What a join handle does with a task.
pub(super) trait Joined<T> {
    fn poll_join(&self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>>;

    fn take(&self) -> Option<Result<T, JoinError>>;

    fn is_finished(&self) -> bool;

    fn header(&self) -> Option<Arc<Header>>;
}

enum JoinState<T> {
    /// With the waker of who waits for it.
    Running(Option<Waker>),
    Ended(Result<T, JoinError>),
    Taken,
}

pub(super) struct TaskCell<F: Future, S: Sink<F::Output>> {
    /// Until the task has ended.
    handle: RefCell<Option<Handle>>,
    /// Until the task has ended. Borrowed while it is polled.
    future: RefCell<Option<Pin<Box<F>>>>,
    sink: Cell<Option<S>>,
    join: RefCell<JoinState<S::Output>>,
}

impl<F: Future, S: Sink<F::Output>> TaskCell<F, S> {
    pub(super) fn new(future: F, sink: S, handle: Handle) -> Rc<TaskCell<F, S>> {
        Rc::new(TaskCell {
            handle: RefCell::new(Some(handle)),
            future: RefCell::new(Some(Box::pin(future))),
            sink: Cell::new(Some(sink)),
            join: RefCell::new(JoinState::Running(None)),
        })
    }

    /// A task that there is no place for: it has been cancelled.
    pub(super) fn refused(future: F, sink: S) -> Rc<TaskCell<F, S>> {
        drop(future);
        let cell = Rc::new(TaskCell {
            handle: RefCell::new(None),
            future: RefCell::new(None),
            sink: Cell::new(Some(sink)),
            join: RefCell::new(JoinState::Running(None)),
        });
        cell.end(Err(JoinError::Cancelled));
        cell
    }

    /// What came of a poll that was the last, if it was.
    fn poll(&self) -> Option<Result<F::Output, JoinError>> {
        let handle = self.handle.borrow();
        let handle = handle.as_ref()?;
        handle.header.dequeue();
        if handle.header.is_cancelled() {
            return Some(Err(JoinError::Cancelled));
        }
        // Polls do not nest, so it is not borrowed.
        let mut future = self.future.try_borrow_mut().ok()?;
        let future = future.as_mut()?.as_mut();
        let mut cx = Context::from_waker(&handle.waker);
        match catch_unwind(AssertUnwindSafe(|| future.poll(&mut cx))) {
            Ok(Poll::Ready(output)) => Some(Ok(output)),
            // It cancelled itself, or what it called did.
            Ok(Poll::Pending) if handle.header.is_cancelled() => Some(Err(JoinError::Cancelled)),
            Ok(Poll::Pending) => None,
            Err(payload) => Some(Err(JoinError::Panicked(payload))),
        }
    }

    /// Drops the future, then says what came of it: nobody who knows the result finds the future alive.
    fn end(&self, mut result: Result<F::Output, JoinError>) -> Option<Handle> {
        // Taken first: a destructor of the future may come back here.
        let sink = self.sink.take()?;
        let future = self.future.borrow_mut().take();
        if let Err(payload) = dropped(future) {
            result = Err(JoinError::Panicked(payload));
        }
        let joined = sink.end(result);
        let before = self.join.replace(JoinState::Ended(joined));
        let handle = self.handle.take();
        if let JoinState::Running(Some(waiting)) = before {
            waiting.wake();
        }
        handle
    }
}

/// Drops a value of somebody else's. The error is the payload of a panic.
pub(super) fn dropped<T>(value: T) -> Result<(), Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| drop(value)))
}

impl<F: Future, S: Sink<F::Output>> Run for TaskCell<F, S> {
    fn run(&self) -> Option<Handle> {
        let result = self.poll()?;
        self.end(result)
    }

    fn cancel(&self) -> Option<Handle> {
        if self.future.try_borrow_mut().is_err() {
            if let Some(handle) = &*self.handle.borrow() {
                handle.header.set_cancelled();
            }
            return None;
        }
        self.end(Err(JoinError::Cancelled))
    }

    fn header(&self) -> Option<Arc<Header>> {
        let handle = self.handle.borrow();
        handle.as_ref().map(|handle| Arc::clone(&handle.header))
    }
}

impl<F: Future, S: Sink<F::Output>> Joined<S::Output> for TaskCell<F, S> {
    fn poll_join(&self, cx: &mut Context<'_>) -> Poll<Result<S::Output, JoinError>> {
        let mut state = self.join.borrow_mut();
        let waiting = match &mut *state {
            JoinState::Running(Some(waker)) if waker.will_wake(cx.waker()) => None,
            JoinState::Running(waker) => waker.replace(cx.waker().clone()),
            ended => match core::mem::replace(ended, JoinState::Taken) {
                JoinState::Ended(result) => return Poll::Ready(result),
                _ => panic!("a join handle was polled after it had returned the result"),
            },
        };
        // Dropped without the borrow: what it wakes may be somebody's last count.
        drop(state);
        drop(waiting);
        Poll::Pending
    }

    fn take(&self) -> Option<Result<S::Output, JoinError>> {
        let mut state = self.join.borrow_mut();
        match core::mem::replace(&mut *state, JoinState::Taken) {
            JoinState::Ended(result) => Some(result),
            before => {
                *state = before;
                None
            }
        }
    }

    fn is_finished(&self) -> bool {
        !matches!(&*self.join.borrow(), JoinState::Running(_))
    }

    fn header(&self) -> Option<Arc<Header>> {
        Run::header(self)
    }
}
