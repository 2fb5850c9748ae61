//! `threadlink::task` does what it says. Each test has a thread of its own, and with it an executor of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod groups;
mod model;
mod primitives;
mod tasks;
mod threads;

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use threadlink::task::{self, JoinError, JoinHandle, Progress};

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn add(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    /// What happened since the last look.
    fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Something that says in the log when it is dropped.
    fn dropped(&self, what: &str) -> OnDrop<impl FnMut() + use<>> {
        let (log, what) = (self.clone(), what.to_owned());
        OnDrop(move || log.add(what.as_str()))
    }
}

/// Calls a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A task that is never ready, and what it has until then.
fn forever<T: 'static>(has: T) -> JoinHandle<()> {
    task::spawn(async move {
        let _has = has;
        std::future::pending().await
    })
}

fn done() {
    assert_eq!(task::poll(), Ok(Progress::Done(())));
}

fn blocked() {
    assert_eq!(task::poll(), Ok(Progress::Blocked));
}

fn result<T>(task: &JoinHandle<T>) -> T {
    task.try_join().expect("it has ended").unwrap()
}

fn is_cancelled<T>(task: &JoinHandle<T>) -> bool {
    matches!(task.try_join(), Some(Err(JoinError::Cancelled)))
}

/// Polls a future in the place where it is, and drops it if that is not enough.
fn poll_once<F: Future + Unpin>(future: &mut F) -> impl Future<Output = Poll<F::Output>> {
    std::future::poll_fn(move |cx: &mut Context<'_>| Poll::Ready(Pin::new(&mut *future).poll(cx)))
}
