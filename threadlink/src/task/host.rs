//! What only the host can do.
//!
//! # Turns
//!
//! A host that has nothing but memory to say something with writes it there, and calls in. A task waits for that by
//! [`turn`]: it goes on when the host calls in the next time.
//!
//! # Operations
//!
//! The module itself has no I/O and no timers: which there are is up to the host, and what a module imports
//! cannot depend on it. So a guest's glue *provides* the operations of the host it was built for, by name, and
//! libraries *request* them. One that nobody provides is an error where it is requested, and not a task
//! that is never woken.
//!
//! ```
//! use threadlink::task::{self, Progress, host};
//! use std::{cell::RefCell, rc::Rc};
//!
//! // Nobody can read a file yet.
//! let error = host::request("read-file", "a.txt").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "nothing provides the operation `read-file` of the host in this thread"
//! );
//!
//! // The glue: an import tells the host, an export is called when it is done.
//! let pending = Rc::new(RefCell::new(Vec::new()));
//! let started = Rc::clone(&pending);
//! host::provide("read-file", move |path, completion| {
//!     started.borrow_mut().push((path, completion));
//! });
//!
//! let task = task::spawn(async {
//!     let file = host::request("read-file", "a.txt").unwrap();
//!     file.await.unwrap().len()
//! });
//! assert_eq!(task::poll(), Ok(Progress::Blocked));
//! for (path, completion) in pending.take() {
//!     assert_eq!(path, b"a.txt");
//!     completion.complete("its contents");
//! }
//! assert_eq!(task::poll(), Ok(Progress::Done(())));
//! assert_eq!(task.try_join().unwrap().unwrap(), 12);
//! ```

use core::cell::{Cell, RefCell};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::collections::BTreeMap;
use std::rc::Rc;

use super::executor;
use super::oneshot;
use super::waiters::{Key, Waiters};

type Start = Rc<dyn Fn(Vec<u8>, Completion)>;

/// What a thread knows of its host.
pub(super) struct Host {
    /// Operations, by name.
    providers: RefCell<BTreeMap<String, Start>>,
    /// Who waits for it to call in.
    turns: RefCell<Waiters>,
    /// Takes what came of asynchronous calls, where there were any.
    calls: Cell<Option<fn()>>,
}

impl Host {
    pub(super) const fn new() -> Host {
        Host {
            providers: RefCell::new(BTreeMap::new()),
            turns: RefCell::new(Waiters::new()),
            calls: Cell::new(None),
        }
    }

    /// The host has called in.
    pub(super) fn enter(&self) {
        if let Some(drain) = self.calls.get() {
            drain();
        }
        let count = self.turns.borrow().len();
        for _ in 0..count {
            let granted = self.turns.borrow_mut().grant().map(|granted| granted.waker);
            if let Some(Some(waker)) = granted {
                waker.wake();
            }
        }
    }
}

/// Lets this be called whenever the host calls in. Returns whether it does: not where the tasks are run by
/// [`block_on`](super::block_on), nor where the thread is ending.
pub(crate) fn calls_in(drain: fn()) -> bool {
    let known = executor::host(|host| host.calls.set(Some(drain)));
    known.is_some() && !executor::blocks()
}

/// A future that is ready when the host, or whoever runs the tasks by [`poll`](super::poll), calls in the next time.
///
/// ```
/// # use std::{cell::Cell, rc::Rc};
/// # use threadlink::task::{self, Progress, host};
/// let word = Rc::new(Cell::new(0));
/// let theirs = Rc::clone(&word);
/// let task = task::spawn(async move {
///     while theirs.get() == 0 {
///         host::turn().unwrap().await;
///     }
///     theirs.get()
/// });
/// assert_eq!(task::poll(), Ok(Progress::Blocked));
/// assert_eq!(task::poll(), Ok(Progress::Blocked));
/// word.set(5);
/// assert_eq!(task::poll(), Ok(Progress::Done(())));
/// assert_eq!(task.try_join().unwrap().unwrap(), 5);
/// ```
///
/// # Errors
///
/// [`Unsupported`] if the tasks of the thread are run by [`block_on`](super::block_on): then nobody calls in.
pub fn turn() -> Result<Turn, Unsupported> {
    if executor::blocks() {
        return Err(Unsupported {
            operation: "turn".to_owned(),
        });
    }
    Ok(Turn { key: None })
}

/// The future of [`turn`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Turn {
    /// While it waits.
    key: Option<Key>,
}

impl Turn {
    /// Leaves the line. A waker is not dropped while the line is borrowed.
    fn leave(&mut self) {
        if let Some(key) = self.key.take() {
            let waker = executor::host(|host| host.turns.borrow_mut().remove(key).waker);
            drop(waker);
        }
    }
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = executor::host(|host| {
            let mut turns = host.turns.borrow_mut();
            match self.key {
                None => {
                    self.key = Some(turns.push(cx.waker().clone(), 1));
                    Poll::Pending
                }
                Some(key) if turns.is_granted(key) => Poll::Ready(()),
                Some(key) => {
                    let old = turns.wait_on(key, cx.waker());
                    drop(turns);
                    drop(old);
                    Poll::Pending
                }
            }
        });
        if polled == Some(Poll::Ready(())) {
            self.leave();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Provides an operation to the tasks of the calling thread, in place of who provided it before.
///
/// `start` is called with the input of each request. It must not wait: it begins the operation and keeps the completion,
/// which any thread may [complete](Completion::complete).
///
/// ```
/// # use threadlink::task::{self, host};
/// host::provide("upper-case", |text, completion| {
///     completion.complete(text.to_ascii_uppercase());
/// });
/// let text = host::request("upper-case", "loud").unwrap();
/// assert_eq!(task::block_on(text), Ok(Ok(b"LOUD".to_vec())));
/// ```
pub fn provide(operation: impl Into<String>, start: impl Fn(Vec<u8>, Completion) + 'static) {
    let (operation, start): (String, Start) = (operation.into(), Rc::new(start));
    let before = executor::host(move |host| {
        let mut providers = host.providers.borrow_mut();
        providers.insert(operation, start)
    });
    drop(before);
}

/// Begins an operation of the host. The future is ready when it is completed.
///
/// # Errors
///
/// [`Unsupported`] if nothing in the calling thread provides it.
pub fn request(operation: &str, input: impl Into<Vec<u8>>) -> Result<Request, Unsupported> {
    let start = executor::host(|host| host.providers.borrow().get(operation).cloned());
    let Some(start) = start.flatten() else {
        return Err(Unsupported {
            operation: operation.to_owned(),
        });
    };
    let (sender, receiver) = oneshot::channel();
    start(input.into(), Completion { sender });
    Ok(Request { receiver })
}

/// Completes a request, from any thread. Dropping it abandons the request.
///
/// ```
/// # use threadlink::task::{self, host};
/// host::provide("give-up", |_, completion| drop(completion));
/// let request = host::request("give-up", []).unwrap();
/// assert_eq!(task::block_on(request), Ok(Err(host::Abandoned)));
/// ```
#[derive(Debug)]
pub struct Completion {
    sender: oneshot::Sender<Vec<u8>>,
}

impl Completion {
    /// Makes the request ready, with this output. It is dropped if nobody waits for it any more.
    pub fn complete(self, output: impl Into<Vec<u8>>) {
        drop(self.sender.send(output.into()));
    }

    /// Whether the request was dropped, so that the operation need not go on.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.sender.is_closed()
    }
}

/// The future of the output of an operation; made by [`request`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Request {
    receiver: oneshot::Receiver<Vec<u8>>,
}

impl Future for Request {
    type Output = Result<Vec<u8>, Abandoned>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let received = Pin::new(&mut self.receiver).poll(cx);
        received.map_err(|oneshot::RecvError| Abandoned)
    }
}

/// Nothing in the thread provides an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    operation: String,
}

impl Unsupported {
    /// Its name.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.operation
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = &self.operation;
        write!(
            f,
            "nothing provides the operation `{operation}` of the host in this thread"
        )
    }
}

impl core::error::Error for Unsupported {}

/// Who provides an operation gave it up: its [`Completion`] was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned;

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operation of the host was given up")
    }
}

impl core::error::Error for Abandoned {}
