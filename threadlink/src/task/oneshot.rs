//! One value, from anywhere to a task: the way into an executor from other threads.
//!
//! ```
//! use threadlink::{task, thread};
//!
//! let result = task::block_on(async {
//!     let (sender, receiver) = task::oneshot::channel();
//!     let worker = thread::spawn(move || sender.send(6 * 7));
//!     let answer = receiver.await;
//!     worker.join().unwrap().unwrap();
//!     answer
//! });
//! assert_eq!(result, Ok(Ok(42)));
//! ```

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug)]
struct State<T> {
    value: Option<T>,
    /// Of who waits.
    waker: Option<Waker>,
    sender: bool,
    receiver: bool,
}

#[derive(Debug)]
struct Shared<T>(Mutex<State<T>>);

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sender and a receiver of one value, for any two threads. What the sender's did before it sent happens
/// before the receiver has the value.
///
/// ```
/// # use threadlink::task::{self, oneshot};
/// let (sender, receiver) = oneshot::channel();
/// sender.send(5).unwrap();
/// assert_eq!(task::block_on(receiver), Ok(Ok(5)));
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared(Mutex::new(State {
        value: None,
        waker: None,
        sender: true,
        receiver: true,
    })));
    let receiver = Receiver {
        shared: Arc::clone(&shared),
    };
    (Sender { shared }, receiver)
}

/// Sends the value of a [`channel`].
#[derive(Debug)]
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends the value, and wakes who waits for it.
    ///
    /// ```
    /// # use threadlink::task::oneshot;
    /// let (sender, receiver) = oneshot::channel();
    /// drop(receiver);
    /// assert_eq!(sender.send(5), Err(5));
    /// ```
    ///
    /// # Errors
    ///
    /// The value, if the receiver was dropped.
    pub fn send(self, value: T) -> Result<(), T> {
        let mut state = self.shared.lock();
        if !state.receiver {
            return Err(value);
        }
        state.value = Some(value);
        Ok(())
        // The drop that follows wakes the receiver.
    }

    /// Whether the receiver was dropped.
    ///
    /// ```
    /// # use threadlink::task::oneshot;
    /// let (sender, receiver) = oneshot::channel::<u32>();
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.shared.lock().receiver
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.sender = false;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A future of the value of a [`channel`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// The value, if it was sent and nobody has taken it.
    ///
    /// ```
    /// # use threadlink::task::oneshot;
    /// let (sender, receiver) = oneshot::channel();
    /// assert_eq!(receiver.try_recv(), None);
    /// sender.send(5).unwrap();
    /// assert_eq!(receiver.try_recv(), Some(5));
    /// ```
    #[must_use]
    pub fn try_recv(&self) -> Option<T> {
        self.shared.lock().value.take()
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let mut state = self.shared.lock();
        if let Some(value) = state.value.take() {
            return Poll::Ready(Ok(value));
        }
        if !state.sender {
            return Poll::Ready(Err(RecvError));
        }
        let old = match &state.waker {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            _ => state.waker.replace(cx.waker().clone()),
        };
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.receiver = false;
        let left = (state.value.take(), state.waker.take());
        drop(state);
        drop(left);
    }
}

/// The sender was dropped without sending.
///
/// ```
/// # use threadlink::task::{self, oneshot};
/// let (sender, receiver) = oneshot::channel::<u32>();
/// drop(sender);
/// assert_eq!(task::block_on(receiver), Ok(Err(oneshot::RecvError)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError;

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the sender was dropped without sending")
    }
}

impl core::error::Error for RecvError {}
