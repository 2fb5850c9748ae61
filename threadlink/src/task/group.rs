//! Tasks that end before what started them does.
//!
//! A group keeps names of its children, not their tasks: those know the group, and would keep each other.
//! Each child tells the group of its end through its [`Sink`], when its future is dropped already.

use core::cell::RefCell;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::rc::Rc;

use super::cell::Sink;
use super::executor;
use super::join::{JoinError, JoinHandle, panic_message};
use super::wake::TaskId;

/// Runs a body that spawns children in a group, and returns what the body returns, after all children have ended.
///
/// ```
/// # use threadlink::task::{self, Group, GroupError};
/// let sum = task::block_on(task::group(async |group: Group<String>| {
///     let one = group.spawn(async { Ok(1) });
///     let two = group.spawn(async { Ok(2) });
///     Ok(one.await.unwrap() + two.await.unwrap())
/// }));
/// assert_eq!(sum, Ok(Ok(3)));
/// ```
///
/// - A child that returns an error or panics fails the group: its other children and the body are cancelled, and the
///   group returns the error when all of them have ended. The first failure counts. So does an error
///   of the body. [`spawn_allow_failure`](Group::spawn_allow_failure) is for children whose failure is their own.
/// - A child that was cancelled has not failed: the others go on.
/// - A child of [`no_wait`](Group::no_wait) is not waited for: it is cancelled when the body and the other children have ended.
/// - In a group that was cancelled, or has ended, a new child is cancelled from the start.
/// - Children that are cancelled, by the group or with it, are dropped instead of being polled the next time, as by
///   [`JoinHandle::abort`].
/// - If the future of the group is dropped, or its body panics, then its children are dropped at once, before
///   that returns. Only a child that drops its own group ends when it returns from its poll, and what destructors of
///   children spawn is dropped in its turn.
///
/// ```
/// # use threadlink::task::{self, Group, GroupError};
/// let failed = task::block_on(task::group(async |group: Group<&str>| {
///     let _sibling = group.spawn(core::future::pending::<Result<(), _>>());
///     let _failing = group.spawn(async { Err::<(), _>("disk full") });
///     core::future::pending::<Result<(), _>>().await
/// }));
/// assert_eq!(failed, Ok(Err(GroupError::Failed("disk full"))));
/// ```
///
/// # Errors
///
/// [`GroupError`]
pub async fn group<T, E, B, F>(body: B) -> Result<T, GroupError<E>>
where
    B: FnOnce(Group<E>) -> F,
    F: Future<Output = Result<T, E>>,
{
    let shared = Rc::new(Shared::new());
    let whole = Whole(Rc::clone(&shared));
    let mut body = pin!(Some(body(Group {
        shared: Rc::clone(&shared)
    })));
    let mut value = None;
    poll_fn(|cx| {
        shared.wait_on(cx);
        if let Some(future) = body.as_mut().as_pin_mut() {
            let polled = match shared.is_cancelled() {
                true => Poll::Pending,
                false => future.poll(cx),
            };
            match polled {
                Poll::Ready(Ok(output)) => value = Some(output),
                Poll::Ready(Err(error)) => shared.fail(Why::Failed(error)),
                // It may have cancelled the group itself.
                Poll::Pending if shared.is_cancelled() => {}
                Poll::Pending => return Poll::Pending,
            }
            body.set(None);
        }
        shared.poll_end()
    })
    .await;
    drop(whole);
    let why = shared.state.borrow_mut().why.take();
    match (why, value) {
        (Some(Why::Failed(error)), _) => Err(GroupError::Failed(error)),
        (Some(Why::Panicked(message)), _) => Err(GroupError::Panicked(message)),
        (_, Some(value)) => Ok(value),
        (_, None) => Err(GroupError::Cancelled),
    }
}

/// Why a group has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupError<E> {
    /// The error of the body or of a child.
    Failed(E),
    /// A child panicked, with this message.
    Panicked(String),
    /// The group was [cancelled](Group::cancel) before the body was ready.
    Cancelled,
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupError::Failed(error) => error.fmt(f),
            GroupError::Panicked(message) => write!(f, "a task of the group panicked: {message}"),
            GroupError::Cancelled => f.write_str("the group was cancelled"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for GroupError<E> {}

/// Why a group was cancelled.
enum Why<E> {
    Failed(E),
    Panicked(String),
    /// Somebody asked for it.
    Asked,
    /// All that it waits for has ended.
    Ended,
}

struct State<E> {
    /// The first reason. The group is cancelled if there is one.
    why: Option<Why<E>>,
    cancelled: bool,
    /// Names of the children that have not ended, in places that are given again.
    children: Vec<Option<TaskId>>,
    free: Vec<usize>,
    /// Children that have not ended, and how many of them are waited for.
    all: usize,
    waited_for: usize,
    /// Of who awaits the group.
    waker: Option<Waker>,
}

struct Shared<E> {
    state: RefCell<State<E>>,
}

impl<E> Shared<E> {
    fn new() -> Shared<E> {
        Shared {
            state: RefCell::new(State {
                why: None,
                cancelled: false,
                children: Vec::new(),
                free: Vec::new(),
                all: 0,
                waited_for: 0,
                waker: None,
            }),
        }
    }

    fn is_cancelled(&self) -> bool {
        self.state.borrow().cancelled
    }

    fn wait_on(&self, cx: &Context<'_>) {
        let mut state = self.state.borrow_mut();
        let old = match &state.waker {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            _ => state.waker.replace(cx.waker().clone()),
        };
        drop(state);
        drop(old);
    }

    fn wake(&self) {
        let waker = self.state.borrow_mut().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn children(&self) -> Vec<TaskId> {
        let state = self.state.borrow();
        state.children.iter().filter_map(|child| *child).collect()
    }

    /// Cancels the group, for this reason if it is the first.
    fn fail(&self, why: Why<E>) {
        let mut state = self.state.borrow_mut();
        if state.cancelled {
            drop(state);
            // An error of somebody else's, which may come back when it is dropped.
            drop(why);
            return;
        }
        state.cancelled = true;
        state.why = Some(why);
        drop(state);
        for child in self.children() {
            executor::abort(child);
        }
        self.wake();
    }

    /// What is left to do when the body is over.
    fn poll_end(&self) -> Poll<()> {
        if self.state.borrow().waited_for == 0 {
            self.fail(Why::Ended);
        }
        if self.state.borrow().all == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn enter(&self, waited_for: bool) -> usize {
        let mut state = self.state.borrow_mut();
        state.all += 1;
        state.waited_for += usize::from(waited_for);
        state.free.pop().unwrap_or_else(|| {
            state.children.push(None);
            state.children.len() - 1
        })
    }

    fn leave(&self, place: Place) {
        let mut state = self.state.borrow_mut();
        state.all -= 1;
        state.waited_for -= usize::from(place.waited_for);
        state.children[place.index] = None;
        state.free.push(place.index);
        let over = state.waited_for == 0;
        drop(state);
        if over {
            self.wake();
        }
    }
}

/// The group from outside. With it go the children.
struct Whole<E>(Rc<Shared<E>>);

impl<E> Drop for Whole<E> {
    fn drop(&mut self) {
        self.0.fail(Why::Asked);
        for child in self.0.children() {
            executor::cancel(child);
        }
    }
}

#[derive(Clone, Copy)]
struct Place {
    index: usize,
    waited_for: bool,
}

/// A child that fails its group.
struct Strict<E> {
    group: Rc<Shared<E>>,
    place: Place,
}

impl<T, E> Sink<Result<T, E>> for Strict<E> {
    type Output = T;

    fn end(self, result: Result<Result<T, E>, JoinError>) -> Result<T, JoinError> {
        let joined = match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                self.group.fail(Why::Failed(error));
                Err(JoinError::Failed)
            }
            Err(error) => {
                if let JoinError::Panicked(payload) = &error {
                    let message = panic_message(&**payload).to_owned();
                    self.group.fail(Why::Panicked(message));
                }
                Err(error)
            }
        };
        self.group.leave(self.place);
        joined
    }
}

/// A child whose failure is its own.
struct Lenient<E> {
    group: Rc<Shared<E>>,
    place: Place,
}

impl<T, E> Sink<T> for Lenient<E> {
    type Output = T;

    fn end(self, result: Result<T, JoinError>) -> Result<T, JoinError> {
        self.group.leave(self.place);
        result
    }
}

/// Spawns children of a group; given to the body of [`group`], and to children as a clone.
pub struct Group<E> {
    shared: Rc<Shared<E>>,
}

impl<E: 'static> Group<E> {
    /// Spawns a child. If it returns an error or panics, the group fails.
    ///
    /// The handle of a child that returned an error says [`JoinError::Failed`]: the error itself is what the
    /// group returns.
    pub fn spawn<T: 'static>(
        &self,
        future: impl Future<Output = Result<T, E>> + 'static,
    ) -> JoinHandle<T> {
        self.strict(future, true)
    }

    /// Spawns a child whose failure, a panic or whatever else it takes for one, is for its handle only.
    ///
    /// ```
    /// # use threadlink::task::{self, Group};
    /// let both = task::block_on(task::group(async |group: Group<()>| {
    ///     let failing = group.spawn_allow_failure(async { Err::<(), _>("disk full") });
    ///     let sibling = group.spawn(async { Ok(1) });
    ///     Ok((failing.await.unwrap(), sibling.await.unwrap()))
    /// }));
    /// assert_eq!(both, Ok(Ok((Err("disk full"), 1))));
    /// ```
    pub fn spawn_allow_failure<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> JoinHandle<T> {
        self.lenient(future, true)
    }

    /// Spawns children that the group does not wait for: they are cancelled when all else in it has ended.
    ///
    /// ```
    /// # use threadlink::task::{self, Group};
    /// let ticks = task::block_on(task::group(async |group: Group<()>| {
    ///     let _ticking = group.no_wait().spawn(async {
    ///         loop {
    ///             task::pause().await;
    ///         }
    ///         # #[expect(unreachable_code, reason = "tells the type")]
    ///         Ok(())
    ///     });
    ///     Ok("ended")
    /// }));
    /// assert_eq!(ticks, Ok(Ok("ended")));
    /// ```
    #[must_use = "it spawns nothing by itself"]
    pub fn no_wait(&self) -> NoWait<'_, E> {
        NoWait { group: self }
    }

    fn strict<T: 'static>(
        &self,
        future: impl Future<Output = Result<T, E>> + 'static,
        waited_for: bool,
    ) -> JoinHandle<T> {
        let place = self.place(waited_for);
        let group = Rc::clone(&self.shared);
        self.insert(place, future, Strict { group, place })
    }

    fn lenient<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
        waited_for: bool,
    ) -> JoinHandle<T> {
        let place = self.place(waited_for);
        let group = Rc::clone(&self.shared);
        self.insert(place, future, Lenient { group, place })
    }

    fn place(&self, waited_for: bool) -> Place {
        Place {
            index: self.shared.enter(waited_for),
            waited_for,
        }
    }

    fn insert<F, S>(&self, place: Place, future: F, sink: S) -> JoinHandle<S::Output>
    where
        F: Future + 'static,
        S: Sink<F::Output> + 'static,
        S::Output: 'static,
    {
        let (handle, id) = executor::insert(future, sink, self.is_cancelled());
        // One that was refused has left already.
        if let Some(id) = id {
            self.shared.state.borrow_mut().children[place.index] = Some(id);
        }
        handle
    }
}

impl<E> Group<E> {
    /// Cancels the children and the body. The group returns [`GroupError::Cancelled`] when all of them have ended, or what
    /// the body returned if it was over.
    ///
    /// ```
    /// # use threadlink::task::{self, Group, GroupError};
    /// let result = task::block_on(task::group(async |group: Group<()>| {
    ///     let inner = group.clone();
    ///     let _child = group.spawn(async move {
    ///         inner.cancel();
    ///         Ok(())
    ///     });
    ///     core::future::pending::<Result<(), ()>>().await
    /// }));
    /// assert_eq!(result, Ok(Err(GroupError::Cancelled)));
    /// ```
    pub fn cancel(&self) {
        self.shared.fail(Why::Asked);
    }

    /// Whether the group was cancelled, has failed or has ended: new children are cancelled from the start.
    ///
    /// ```
    /// # use threadlink::task::{self, Group};
    /// let before_and_after = task::block_on(task::group(async |group: Group<()>| {
    ///     let before = group.is_cancelled();
    ///     group.cancel();
    ///     Ok((before, group.is_cancelled()))
    /// }));
    /// assert_eq!(before_and_after, Ok(Ok((false, true))));
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.is_cancelled()
    }
}

impl<E> Clone for Group<E> {
    fn clone(&self) -> Group<E> {
        Group {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<E> fmt::Debug for Group<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.borrow();
        f.debug_struct("Group")
            .field("children", &state.all)
            .field("cancelled", &state.cancelled)
            .finish()
    }
}

/// Spawns children that their group does not wait for; made by [`Group::no_wait`].
#[derive(Debug)]
pub struct NoWait<'a, E> {
    group: &'a Group<E>,
}

impl<E: 'static> NoWait<'_, E> {
    /// As [`Group::spawn`].
    pub fn spawn<T: 'static>(
        &self,
        future: impl Future<Output = Result<T, E>> + 'static,
    ) -> JoinHandle<T> {
        self.group.strict(future, false)
    }

    /// As [`Group::spawn_allow_failure`].
    pub fn spawn_allow_failure<T: 'static>(
        &self,
        future: impl Future<Output = T> + 'static,
    ) -> JoinHandle<T> {
        self.group.lenient(future, false)
    }
}
