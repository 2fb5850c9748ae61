//! Letting others run.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Lets all other tasks run that are ready, once.
///
/// ```
/// # use std::{cell::RefCell, rc::Rc};
/// # use threadlink::task;
/// let order = Rc::new(RefCell::new(Vec::new()));
/// for name in ["a", "b"] {
///     let order = Rc::clone(&order);
///     let _detached = task::spawn(async move {
///         for step in 0..2 {
///             order.borrow_mut().push((name, step));
///             task::pause().await;
///         }
///     });
/// }
/// task::poll().unwrap();
/// assert_eq!(*order.borrow(), [("a", 0), ("b", 0), ("a", 1), ("b", 1)]);
/// ```
pub fn pause() -> Pause {
    Pause { paused: false }
}

/// The future of [`pause`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Pause {
    paused: bool,
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.paused {
            return Poll::Ready(());
        }
        self.paused = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
