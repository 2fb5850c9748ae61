//! Values on their way from task to task.

use core::cell::RefCell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;

use super::waiters::{Key, Waiters};

/// A first-in, first-out queue between tasks of a thread, any number on either side.
///
/// Fair: who waits for a value gets one before those who come later, and who waits for room is let in before
/// they are.
///
/// ```
/// # use std::rc::Rc;
/// # use threadlink::task::{self, Queue};
/// let queue = Rc::new(Queue::bounded(2));
/// let ours = Rc::clone(&queue);
/// let producer = task::spawn(async move {
///     for n in 0..5 {
///         // Waits while the queue is full.
///         ours.push(n).await.unwrap();
///     }
///     ours.close();
/// });
/// let sum = task::block_on(async {
///     let mut sum = 0;
///     while let Ok(n) = queue.pop().await {
///         sum += n;
///     }
///     producer.await.unwrap();
///     sum
/// });
/// assert_eq!(sum, Ok(10));
/// ```
pub struct Queue<T> {
    state: RefCell<State<T>>,
}

/// What a waiter was promised stays in the queue, or stays free, until it comes for it.
struct State<T> {
    values: VecDeque<T>,
    capacity: usize,
    /// Values promised to those who waited for one.
    promised: usize,
    /// Room promised to those who waited for some.
    reserved: usize,
    closed: bool,
    poppers: Waiters,
    pushers: Waiters,
}

impl<T> State<T> {
    fn has_value(&self) -> bool {
        self.values.len() > self.promised
    }

    fn has_room(&self) -> bool {
        self.values.len() + self.reserved < self.capacity
    }

    /// Adds a value. What is returned is to be woken.
    fn put(&mut self, value: T) -> Option<Waker> {
        self.values.push_back(value);
        self.promise()
    }

    /// Promises a value that nobody was promised to who waits for one.
    fn promise(&mut self) -> Option<Waker> {
        if !self.has_value() {
            return None;
        }
        let granted = self.poppers.grant()?;
        self.promised += 1;
        granted.waker
    }

    /// Promises room that nobody was promised to who waits for some.
    fn reserve(&mut self) -> Option<Waker> {
        if !self.has_room() {
            return None;
        }
        let granted = self.pushers.grant()?;
        self.reserved += 1;
        granted.waker
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T> Queue<T> {
    /// One that takes as many values as memory does: [`push`](Queue::push) never waits.
    ///
    /// ```
    /// # use threadlink::task::Queue;
    /// let queue = Queue::unbounded();
    /// queue.try_push('a').unwrap();
    /// assert_eq!(queue.try_pop(), Ok('a'));
    /// ```
    #[must_use]
    pub const fn unbounded() -> Queue<T> {
        Queue::with_capacity(usize::MAX)
    }

    /// One that takes this many values: [`push`](Queue::push) waits when it is full.
    ///
    /// # Panics
    ///
    /// If the capacity is 0: no value could ever get through.
    #[must_use]
    pub const fn bounded(capacity: usize) -> Queue<T> {
        assert!(capacity > 0, "a queue needs room for one value at least");
        Queue::with_capacity(capacity)
    }

    const fn with_capacity(capacity: usize) -> Queue<T> {
        Queue {
            state: RefCell::new(State {
                values: VecDeque::new(),
                capacity,
                promised: 0,
                reserved: 0,
                closed: false,
                poppers: Waiters::new(),
                pushers: Waiters::new(),
            }),
        }
    }

    /// Adds a value at the end, when there is room.
    ///
    /// Dropping the future before that drops the value.
    ///
    /// ```
    /// # use threadlink::task::{self, Queue};
    /// let queue = Queue::bounded(1);
    /// task::block_on(queue.push('a')).unwrap().unwrap();
    /// assert_eq!(queue.len(), 1);
    /// ```
    pub fn push(&self, value: T) -> Push<'_, T> {
        Push {
            queue: self,
            value: Some(value),
            key: None,
        }
    }

    /// Adds a value at the end, if there is room that nobody waits for.
    ///
    /// ```
    /// # use threadlink::task::{Queue, TryPushError};
    /// let queue = Queue::bounded(1);
    /// assert_eq!(queue.try_push(1), Ok(()));
    /// assert_eq!(queue.try_push(2), Err(TryPushError::Full(2)));
    /// ```
    ///
    /// # Errors
    ///
    /// The value, if the queue is full or closed.
    pub fn try_push(&self, value: T) -> Result<(), TryPushError<T>> {
        let mut state = self.state.borrow_mut();
        if state.closed {
            return Err(TryPushError::Closed(value));
        }
        if !state.has_room() {
            return Err(TryPushError::Full(value));
        }
        let waker = state.put(value);
        drop(state);
        wake(waker);
        Ok(())
    }

    /// Takes the first value, when there is one.
    ///
    /// Dropping the future loses no value.
    ///
    /// ```
    /// # use threadlink::task::{self, Queue};
    /// let queue = Queue::unbounded();
    /// queue.try_push('a').unwrap();
    /// assert_eq!(task::block_on(queue.pop()), Ok(Ok('a')));
    /// ```
    pub fn pop(&self) -> Pop<'_, T> {
        Pop {
            queue: self,
            key: None,
        }
    }

    /// Takes the first value, if there is one that nobody waits for.
    ///
    /// ```
    /// # use threadlink::task::{Queue, TryPopError};
    /// let queue = Queue::<u32>::unbounded();
    /// assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
    /// queue.close();
    /// assert_eq!(queue.try_pop(), Err(TryPopError::Closed));
    /// ```
    ///
    /// # Errors
    ///
    /// If there is none, and whether there can be one.
    pub fn try_pop(&self) -> Result<T, TryPopError> {
        let mut state = self.state.borrow_mut();
        if !state.has_value() {
            return Err(match state.closed {
                true => TryPopError::Closed,
                false => TryPopError::Empty,
            });
        }
        let value = state.values.pop_front().ok_or(TryPopError::Empty)?;
        let waker = state.reserve();
        drop(state);
        wake(waker);
        Ok(value)
    }

    /// Takes no further values: who waits to push gets its value back. What is in the queue can be taken still.
    /// Who waits for a value when there are no more, learns that.
    ///
    /// ```
    /// # use threadlink::task::{self, Closed, Queue};
    /// let queue = Queue::unbounded();
    /// queue.try_push('a').unwrap();
    /// queue.close();
    /// assert_eq!(task::block_on(queue.push('b')), Ok(Err(Closed('b'))));
    /// assert_eq!(task::block_on(queue.pop()), Ok(Ok('a')));
    /// assert_eq!(task::block_on(queue.pop()), Ok(Err(Closed(()))));
    /// ```
    pub fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.closed = true;
        let mut wakers = state.poppers.wakers();
        wakers.append(&mut state.pushers.wakers());
        drop(state);
        for waker in wakers {
            waker.wake();
        }
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.borrow().closed
    }

    /// How many values are in it, those included that somebody waited for who has not run since.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.borrow().values.len()
    }

    /// Whether no value is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values it takes, if there is a bound.
    #[must_use]
    pub fn capacity(&self) -> Option<usize> {
        let capacity = self.state.borrow().capacity;
        (capacity < usize::MAX).then_some(capacity)
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The queue is closed. With the value that could not be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed<T = ()>(pub T);

impl<T> fmt::Display for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is closed")
    }
}

impl<T: fmt::Debug> core::error::Error for Closed<T> {}

/// Why a value was not pushed. With the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryPushError<T> {
    /// There is no room now.
    Full(T),
    /// The queue is closed.
    Closed(T),
}

impl<T> fmt::Display for TryPushError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryPushError::Full(_) => "the queue is full",
            TryPushError::Closed(_) => "the queue is closed",
        })
    }
}

impl<T: fmt::Debug> core::error::Error for TryPushError<T> {}

/// Why there was no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryPopError {
    /// There is none now.
    Empty,
    /// There are none any more.
    Closed,
}

impl fmt::Display for TryPopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryPopError::Empty => "the queue is empty",
            TryPopError::Closed => "the queue is empty and closed",
        })
    }
}

impl core::error::Error for TryPopError {}

/// The future of [`Queue::push`]. Its error is the value, of a queue that is closed.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Push<'a, T> {
    queue: &'a Queue<T>,
    /// Until it is in the queue.
    value: Option<T>,
    /// While it waits.
    key: Option<Key>,
}

// The value is never pinned.
impl<T> Unpin for Push<'_, T> {}

impl<T> Future for Push<'_, T> {
    type Output = Result<(), Closed<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let queue = self.queue;
        let mut state = queue.state.borrow_mut();
        let ready = match self.key {
            None => state.closed || state.has_room(),
            Some(key) => state.closed || state.pushers.is_granted(key),
        };
        if !ready {
            let old = match self.key {
                None => {
                    self.key = Some(state.pushers.push(cx.waker().clone(), 1));
                    None
                }
                Some(key) => state.pushers.wait_on(key, cx.waker()),
            };
            drop(state);
            drop(old);
            return Poll::Pending;
        }
        let mut removed = None;
        if let Some(key) = self.key.take() {
            let entry = state.pushers.remove(key);
            state.reserved -= usize::from(entry.granted);
            removed = entry.waker;
        }
        let Some(value) = self.value.take() else {
            panic!("a push was polled after it had returned");
        };
        let (waker, result) = if state.closed {
            (None, Err(Closed(value)))
        } else {
            (state.put(value), Ok(()))
        };
        drop(state);
        drop(removed);
        wake(waker);
        Poll::Ready(result)
    }
}

impl<T> Drop for Push<'_, T> {
    fn drop(&mut self) {
        let Some(key) = self.key else {
            return;
        };
        let mut state = self.queue.state.borrow_mut();
        let removed = state.pushers.remove(key);
        state.reserved -= usize::from(removed.granted);
        let waker = state.reserve();
        drop(state);
        drop(removed.waker);
        wake(waker);
    }
}

/// The future of [`Queue::pop`]. Its error is that the queue is empty and closed.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Pop<'a, T> {
    queue: &'a Queue<T>,
    /// While it waits.
    key: Option<Key>,
}

impl<T> Future for Pop<'_, T> {
    type Output = Result<T, Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let queue = self.queue;
        let mut state = queue.state.borrow_mut();
        let granted = self.key.is_some_and(|key| state.poppers.is_granted(key));
        let has_value = granted || (self.key.is_none() && state.has_value());
        if !has_value && !state.closed {
            let old = match self.key {
                None => {
                    self.key = Some(state.poppers.push(cx.waker().clone(), 1));
                    None
                }
                Some(key) => state.poppers.wait_on(key, cx.waker()),
            };
            drop(state);
            drop(old);
            return Poll::Pending;
        }
        let mut removed = None;
        if let Some(key) = self.key.take() {
            removed = state.poppers.remove(key).waker;
            state.promised -= usize::from(granted);
        }
        let value = if has_value {
            state.values.pop_front()
        } else {
            None
        };
        let waker = match value {
            Some(_) => state.reserve(),
            None => None,
        };
        drop(state);
        drop(removed);
        wake(waker);
        Poll::Ready(value.ok_or(Closed(())))
    }
}

impl<T> Drop for Pop<'_, T> {
    fn drop(&mut self) {
        let Some(key) = self.key else {
            return;
        };
        let mut state = self.queue.state.borrow_mut();
        let removed = state.poppers.remove(key);
        state.promised -= usize::from(removed.granted);
        let waker = state.promise();
        drop(state);
        drop(removed.waker);
        wake(waker);
    }
}
