//! Waiting for something to change.

use core::cell::RefCell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::mutex::MutexGuard;
use super::waiters::{Key, Waiters};

/// Tasks of a thread that wait to be notified.
///
/// A notification is for those who wait at the moment, in the order in which they came; if nobody does, it is
/// lost. There is no mutex that has to be given: no other task runs between a look at the condition and the
/// wait. There are no spurious wake-ups, but what a task was notified of need not hold any more when its turn
/// comes.
///
/// ```
/// # use std::{cell::Cell, rc::Rc};
/// # use threadlink::task::{self, CondVar};
/// let shared = Rc::new((Cell::new(false), CondVar::new()));
/// let theirs = Rc::clone(&shared);
/// let waiter = task::spawn(async move {
///     let (ready, changed) = &*theirs;
///     changed.wait_while(|| !ready.get()).await;
///     "ready"
/// });
/// task::poll().unwrap();
/// let (ready, changed) = &*shared;
/// ready.set(true);
/// assert!(changed.notify_one());
/// task::poll().unwrap();
/// assert_eq!(waiter.try_join().unwrap().unwrap(), "ready");
/// ```
pub struct CondVar {
    waiters: RefCell<Waiters>,
}

impl CondVar {
    /// One that nobody waits for.
    #[must_use]
    pub const fn new() -> CondVar {
        CondVar {
            waiters: RefCell::new(Waiters::new()),
        }
    }

    /// Waits to be notified. It waits from the first poll on, which an `await` makes at once.
    ///
    /// If the future is dropped after [`notify_one`](CondVar::notify_one) chose it and before it is ready, the next in line
    /// is notified instead.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use threadlink::task::{self, CondVar};
    /// let condvar = Rc::new(CondVar::new());
    /// let theirs = Rc::clone(&condvar);
    /// let waiter = task::spawn(async move { theirs.wait().await });
    /// task::poll().unwrap();
    /// condvar.notify_one();
    /// task::poll().unwrap();
    /// assert!(waiter.is_finished());
    /// ```
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            condvar: self,
            key: None,
        }
    }

    /// Waits as long as the condition holds; not at all, if it does not.
    ///
    /// ```
    /// # use threadlink::task::{self, CondVar};
    /// let condvar = CondVar::new();
    /// assert_eq!(task::block_on(condvar.wait_while(|| false)), Ok(()));
    /// ```
    pub async fn wait_while(&self, mut condition: impl FnMut() -> bool) {
        while condition() {
            self.wait().await;
        }
    }

    /// Unlocks a mutex while it waits to be notified, and locks it again.
    ///
    /// ```
    /// # use std::rc::Rc;
    /// # use threadlink::task::{self, CondVar, Mutex};
    /// let shared = Rc::new((Mutex::new(0), CondVar::new()));
    /// let theirs = Rc::clone(&shared);
    /// let waiter = task::spawn(async move {
    ///     let (number, changed) = &*theirs;
    ///     let mut number = number.lock().await;
    ///     while *number == 0 {
    ///         number = changed.wait_with(number).await;
    ///     }
    ///     *number
    /// });
    /// task::poll().unwrap();
    /// *shared.0.try_lock().unwrap() = 7;
    /// shared.1.notify_all();
    /// task::poll().unwrap();
    /// assert_eq!(waiter.try_join().unwrap().unwrap(), 7);
    /// ```
    pub async fn wait_with<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let mutex = guard.mutex();
        // Nobody whom the unlocking wakes runs before this waits.
        drop(guard);
        self.wait().await;
        mutex.lock().await
    }

    /// Notifies who has waited longest. Returns whether anybody did.
    ///
    /// ```
    /// # use threadlink::task::CondVar;
    /// assert!(!CondVar::new().notify_one());
    /// ```
    pub fn notify_one(&self) -> bool {
        let mut waiters = self.waiters.borrow_mut();
        let Some(granted) = waiters.grant() else {
            return false;
        };
        let waker = granted.waker;
        drop(waiters);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// Notifies all who wait. Returns how many did.
    ///
    /// ```
    /// # use threadlink::task::CondVar;
    /// assert_eq!(CondVar::new().notify_all(), 0);
    /// ```
    pub fn notify_all(&self) -> usize {
        // Not those that come while others are woken.
        let count = self.waiters.borrow().len();
        for _ in 0..count {
            let mut waiters = self.waiters.borrow_mut();
            let waker = waiters.grant().and_then(|granted| {
                // It has not taken the notification from anybody.
                *granted.count = 0;
                granted.waker
            });
            drop(waiters);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        count
    }
}

impl Default for CondVar {
    fn default() -> CondVar {
        CondVar::new()
    }
}

impl fmt::Debug for CondVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondVar")
            .field("waiters", &self.waiters.borrow().len())
            .finish()
    }
}

/// The future of [`CondVar::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<'a> {
    condvar: &'a CondVar,
    /// While it waits.
    key: Option<Key>,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut waiters = self.condvar.waiters.borrow_mut();
        match self.key {
            None => {
                let key = waiters.push(cx.waker().clone(), 1);
                drop(waiters);
                self.key = Some(key);
                Poll::Pending
            }
            Some(key) if waiters.is_granted(key) => {
                waiters.remove(key);
                drop(waiters);
                self.key = None;
                Poll::Ready(())
            }
            Some(key) => {
                let old = waiters.wait_on(key, cx.waker());
                drop(waiters);
                drop(old);
                Poll::Pending
            }
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key else {
            return;
        };
        let removed = self.condvar.waiters.borrow_mut().remove(key);
        if removed.granted && removed.count == 1 {
            self.condvar.notify_one();
        }
    }
}
