//! What a task leaves for who spawned it.

use core::any::Any;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::rc::Rc;
use std::sync::Arc;

use super::cell::Joined;
use super::wake::Header;

/// Why a task has no result.
///
/// ```
/// # use threadlink::task::{self, JoinError};
/// let task = task::spawn(core::future::pending::<()>());
/// task.abort();
/// let error = task::block_on(task).unwrap().unwrap_err();
/// assert!(matches!(error, JoinError::Cancelled));
/// assert_eq!(error.to_string(), "the task was cancelled");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// The task was cancelled, and its future dropped before it was ready.
    Cancelled,
    /// The task panicked, with this payload. Only where panics unwind: elsewhere one is a trap.
    Panicked(Box<dyn Any + Send>),
    /// A child of a [group](super::group) returned an error. The group has it and returns it.
    Failed,
}

impl JoinError {
    /// Whether the task was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, JoinError::Cancelled)
    }

    /// Whether the task panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, JoinError::Panicked(_))
    }
}

/// The message of a panic, if it has one.
pub(super) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    (payload.downcast_ref::<&str>().copied())
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is not a string")
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Cancelled => f.write_str("the task was cancelled"),
            JoinError::Panicked(payload) => {
                write!(f, "the task panicked: {}", panic_message(&**payload))
            }
            JoinError::Failed => f.write_str("the task failed, and its group with it"),
        }
    }
}

impl core::error::Error for JoinError {}

/// A future of what a task returns. Dropping it detaches the task, which goes on.
///
/// ```
/// # use threadlink::task;
/// let sum = task::block_on(async {
///     let task = task::spawn(async { 1 + 2 });
///     task.await
/// });
/// assert_eq!(sum.unwrap().unwrap(), 3);
/// ```
///
/// The children of a [`Group`](super::Group) are not detached by it: the group waits for them nevertheless.
///
/// # Panics
///
/// If it is polled after it has returned the result, or after [`try_join`](JoinHandle::try_join) has.
#[must_use = "a task goes on without its handle, but nobody learns what came of it"]
pub struct JoinHandle<T> {
    task: Rc<dyn Joined<T>>,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(task: Rc<dyn Joined<T>>) -> JoinHandle<T> {
        JoinHandle { task }
    }

    /// Cancels the task: instead of being polled the next time, its future is dropped.
    ///
    /// A task that cancels itself runs until it returns from its poll. One that has ended, or does in the
    /// poll that is going on, has its result nevertheless.
    ///
    /// ```
    /// # use threadlink::task;
    /// let result = task::block_on(async {
    ///     let task = task::spawn(core::future::pending::<()>());
    ///     task.abort();
    ///     task.await
    /// });
    /// assert!(result.unwrap().unwrap_err().is_cancelled());
    /// ```
    pub fn abort(&self) {
        if let Some(header) = self.task.header() {
            header.abort();
        }
    }

    /// What cancels the task without the handle, from any thread.
    ///
    /// ```
    /// # use threadlink::{task, thread};
    /// let result = task::block_on(async {
    ///     let task = task::spawn(core::future::pending::<()>());
    ///     let abort = task.abort_handle();
    ///     thread::spawn(move || abort.abort());
    ///     task.await
    /// });
    /// assert!(result.unwrap().unwrap_err().is_cancelled());
    /// ```
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle {
            header: self.task.header(),
        }
    }

    /// Whether the task has ended, and its future is dropped.
    ///
    /// ```
    /// # use threadlink::task;
    /// let task = task::spawn(async {});
    /// assert!(!task.is_finished());
    /// task::poll().unwrap();
    /// assert!(task.is_finished());
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// The result, if the task has ended and nobody has taken it.
    ///
    /// ```
    /// # use threadlink::task;
    /// let task = task::spawn(async { 5 });
    /// assert!(task.try_join().is_none());
    /// task::poll().unwrap();
    /// assert_eq!(task.try_join().unwrap().unwrap(), 5);
    /// ```
    #[must_use]
    pub fn try_join(&self) -> Option<Result<T, JoinError>> {
        self.task.take()
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        self.task.poll_join(cx)
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// Cancels a task, from any thread; made by [`JoinHandle::abort_handle`].
///
/// ```
/// # use threadlink::task;
/// let task = task::spawn(core::future::pending::<()>());
/// let abort = task.abort_handle();
/// // It goes on without its handle.
/// drop(task);
/// assert_eq!(task::poll(), Ok(task::Progress::Blocked));
/// abort.abort();
/// assert_eq!(task::poll(), Ok(task::Progress::Done(())));
/// ```
#[derive(Clone, Debug)]
pub struct AbortHandle {
    /// Nothing, if the task had ended.
    header: Option<Arc<Header>>,
}

impl AbortHandle {
    /// Cancels the task as [`JoinHandle::abort`] does.
    ///
    /// From another thread, the task's own notices when it comes to its tasks again.
    pub fn abort(&self) {
        if let Some(header) = &self.header {
            header.abort();
        }
    }
}
