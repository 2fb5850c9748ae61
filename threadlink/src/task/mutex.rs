//! Keeping something to oneself across awaits.

use core::cell::{RefCell, RefMut};
use core::fmt;
use core::ops::{Deref, DerefMut};

use super::semaphore::{Permit, Semaphore};

/// A value that one task at a time may use, and keep to itself while it waits for something else.
///
/// Tasks of a thread only interleave where they await, so a `Cell` or `RefCell` is enough for what is done between
/// two awaits. Fair, as a [`Semaphore`] is. There is no poisoning: the value of a task that panicked or
/// was cancelled is as it left it.
///
/// ```
/// # use std::rc::Rc;
/// # use threadlink::task::{self, Mutex};
/// let counter = Rc::new(Mutex::new(0));
/// for _ in 0..3 {
///     let counter = Rc::clone(&counter);
///     let _detached = task::spawn(async move {
///         let mut guard = counter.lock().await;
///         let before = *guard;
///         task::pause().await;
///         *guard = before + 1;
///     });
/// }
/// task::poll().unwrap();
/// assert_eq!(*counter.try_lock().unwrap(), 3);
/// ```
pub struct Mutex<T: ?Sized> {
    permit: Semaphore,
    /// Borrowed by the guard of who has the permit.
    value: RefCell<T>,
}

impl<T> Mutex<T> {
    /// One with this value.
    #[must_use]
    pub const fn new(value: T) -> Mutex<T> {
        Mutex {
            permit: Semaphore::new(1),
            value: RefCell::new(value),
        }
    }

    /// The value, from its owner.
    ///
    /// ```
    /// # use threadlink::task::Mutex;
    /// assert_eq!(Mutex::new(5).into_inner(), 5);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the value. Dropping the guard lets the next one have it.
    ///
    /// Dropping the future leaves the line. A task that locks what it has locked waits for ever.
    ///
    /// ```
    /// # use threadlink::task::{self, Mutex};
    /// let mutex = Mutex::new(5);
    /// task::block_on(async { *mutex.lock().await += 1 }).unwrap();
    /// assert_eq!(mutex.into_inner(), 6);
    /// ```
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        let permit = self.permit.acquire().await;
        self.guard(permit)
    }

    /// The value, if no task has it or waits for it.
    ///
    /// ```
    /// # use threadlink::task::Mutex;
    /// let mutex = Mutex::new(5);
    /// let guard = mutex.try_lock();
    /// assert!(mutex.try_lock().is_none());
    /// ```
    #[must_use = "it is unlocked when the guard is dropped"]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let permit = self.permit.try_acquire()?;
        Some(self.guard(permit))
    }

    /// The value, which nobody else can have.
    ///
    /// ```
    /// # use threadlink::task::Mutex;
    /// let mut mutex = Mutex::new(5);
    /// *mutex.get_mut() += 1;
    /// assert_eq!(mutex.into_inner(), 6);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    fn guard<'a>(&'a self, permit: Permit<'a>) -> MutexGuard<'a, T> {
        MutexGuard {
            // The permit is the only one, and a guard has no borrow without.
            value: self.value.borrow_mut(),
            mutex: self,
            _permit: permit,
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Mutex");
        match self.value.try_borrow() {
            Ok(value) => debug.field("value", &&*value),
            Err(_) => debug.field("value", &format_args!("<locked>")),
        };
        debug.finish()
    }
}

/// The value of a [`Mutex`], which is unlocked when this is dropped.
#[must_use = "it is unlocked when the guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    // Fields are dropped in this order: the borrow ends before anybody is let in.
    value: RefMut<'a, T>,
    mutex: &'a Mutex<T>,
    _permit: Permit<'a>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// What it is the guard of.
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
