//! A number of permits.

use core::cell::RefCell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::waiters::{Key, Waiters};

/// Permits that tasks of a thread acquire and give back.
///
/// Fair: permits go to those who wait in the order in which they came. One who waits for many is not
/// overtaken by one who wants few, nor by [`try_acquire`](Semaphore::try_acquire).
///
/// ```
/// # use std::rc::Rc;
/// # use threadlink::task::{self, Semaphore};
/// let downloads = Rc::new(Semaphore::new(2));
/// for _ in 0..5 {
///     let downloads = Rc::clone(&downloads);
///     let _detached = task::spawn(async move {
///         let _permit = downloads.acquire().await;
///         // At most two tasks are here.
///         task::pause().await;
///     });
/// }
/// assert_eq!(task::poll(), Ok(task::Progress::Done(())));
/// assert_eq!(downloads.available_permits(), 2);
/// ```
pub struct Semaphore {
    state: RefCell<State>,
}

struct State {
    /// Those that were granted to a waiter are not among them.
    permits: usize,
    waiters: Waiters,
}

impl State {
    /// Takes permits, unless there are too few or others wait for them.
    fn take(&mut self, count: usize) -> bool {
        let taken = self.waiters.is_empty() && self.permits >= count;
        if taken {
            self.permits -= count;
        }
        taken
    }

    /// Grants the first in line its permits, if there are enough.
    fn grant(&mut self) -> Option<Option<Waker>> {
        let count = self.waiters.first()?;
        self.permits = self.permits.checked_sub(count)?;
        self.waiters.grant().map(|granted| granted.waker)
    }
}

impl Semaphore {
    /// One with this many permits.
    #[must_use]
    pub const fn new(permits: usize) -> Semaphore {
        Semaphore {
            state: RefCell::new(State {
                permits,
                waiters: Waiters::new(),
            }),
        }
    }

    /// Waits for a permit. Dropping it gives it back.
    ///
    /// Dropping the future leaves the line, or gives back what it was granted.
    ///
    /// ```
    /// # use threadlink::task::{self, Semaphore};
    /// let semaphore = Semaphore::new(1);
    /// let permit = task::block_on(semaphore.acquire()).unwrap();
    /// assert_eq!(semaphore.available_permits(), 0);
    /// drop(permit);
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    pub fn acquire(&self) -> Acquire<'_> {
        self.acquire_many(1)
    }

    /// Waits for this many permits, and takes them at once. More than there will ever be are waited for
    /// for ever.
    ///
    /// ```
    /// # use threadlink::task::{self, Semaphore};
    /// let semaphore = Semaphore::new(3);
    /// let left = task::block_on(async {
    ///     let _all_but_one = semaphore.acquire_many(2).await;
    ///     semaphore.available_permits()
    /// });
    /// assert_eq!(left, Ok(1));
    /// ```
    pub fn acquire_many(&self, count: usize) -> Acquire<'_> {
        Acquire {
            semaphore: self,
            count,
            key: None,
        }
    }

    /// Takes a permit, if there is one that nobody waits for.
    ///
    /// ```
    /// # use threadlink::task::Semaphore;
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.try_acquire();
    /// assert!(permit.is_some());
    /// assert!(semaphore.try_acquire().is_none());
    /// ```
    #[must_use = "the permit is given back when it is dropped"]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes this many permits, if there are as many that nobody waits for.
    ///
    /// ```
    /// # use threadlink::task::Semaphore;
    /// let semaphore = Semaphore::new(3);
    /// let two = semaphore.try_acquire_many(2);
    /// assert!(two.is_some());
    /// assert!(semaphore.try_acquire_many(2).is_none());
    /// ```
    #[must_use = "the permits are given back when they are dropped"]
    pub fn try_acquire_many(&self, count: usize) -> Option<Permit<'_>> {
        let taken = self.state.borrow_mut().take(count);
        taken.then(|| self.permit(count))
    }

    /// Adds permits, to those that there are or for those who wait. There are `usize::MAX` at most; more are lost.
    ///
    /// ```
    /// # use threadlink::task::Semaphore;
    /// let semaphore = Semaphore::new(0);
    /// semaphore.add_permits(2);
    /// assert_eq!(semaphore.available_permits(), 2);
    /// ```
    pub fn add_permits(&self, count: usize) {
        {
            let mut state = self.state.borrow_mut();
            state.permits = state.permits.saturating_add(count);
        }
        self.grant();
    }

    /// How many permits there are that were granted to nobody.
    #[must_use]
    pub fn available_permits(&self) -> usize {
        self.state.borrow().permits
    }

    fn permit(&self, count: usize) -> Permit<'_> {
        Permit {
            semaphore: self,
            count,
        }
    }

    /// Grants permits to those whose turn it is.
    fn grant(&self) {
        loop {
            let granted = self.state.borrow_mut().grant();
            match granted {
                Some(Some(waker)) => waker.wake(),
                Some(None) => {}
                None => return,
            }
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("permits", &self.available_permits())
            .finish_non_exhaustive()
    }
}

/// Permits of a [`Semaphore`], which gets them back when this is dropped.
#[derive(Debug)]
#[must_use = "the permits are given back when they are dropped"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

impl Permit<'_> {
    /// Does not give the permits back: the semaphore has fewer from now on.
    ///
    /// ```
    /// # use threadlink::task::Semaphore;
    /// let semaphore = Semaphore::new(1);
    /// semaphore.try_acquire().unwrap().forget();
    /// assert_eq!(semaphore.available_permits(), 0);
    /// ```
    pub fn forget(mut self) {
        self.count = 0;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.count > 0 {
            self.semaphore.add_permits(self.count);
        }
    }
}

/// The future of [`Semaphore::acquire`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    count: usize,
    /// While it waits.
    key: Option<Key>,
}

impl<'a> Future for Acquire<'a> {
    type Output = Permit<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit<'a>> {
        let semaphore = self.semaphore;
        let mut state = semaphore.state.borrow_mut();
        match self.key {
            None if state.take(self.count) => {}
            None => {
                self.key = Some(state.waiters.push(cx.waker().clone(), self.count));
                return Poll::Pending;
            }
            Some(key) if state.waiters.is_granted(key) => {
                state.waiters.remove(key);
                self.key = None;
            }
            Some(key) => {
                let old = state.waiters.wait_on(key, cx.waker());
                drop(state);
                drop(old);
                return Poll::Pending;
            }
        }
        Poll::Ready(semaphore.permit(self.count))
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key else {
            return;
        };
        let removed = self.semaphore.state.borrow_mut().waiters.remove(key);
        let back = if removed.granted { self.count } else { 0 };
        // Also if it was not granted: it may have stood before others that want less.
        self.semaphore.add_permits(back);
    }
}
