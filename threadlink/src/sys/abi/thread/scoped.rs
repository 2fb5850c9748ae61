//! Threads that may borrow from the function that spawned them.

use core::fmt;
use core::marker::PhantomData;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::native::{self, Native, SpawnError};
use super::{Builder, Packet, Result, Thread, trapped};

/// A scope to spawn scoped threads in. See [`std::thread::Scope`].
pub struct Scope<'scope, 'env: 'scope> {
    /// Threads that nobody has begun to join. When the scope ends it joins them, by the host: a count
    /// that every thread lowers at its end would never reach zero if one trapped.
    unjoined: Mutex<Vec<Arc<Scoped>>>,
    // Both invariant, as in std: 'scope must not shrink to less than the spawned threads need.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// An owned permission to join a scoped thread. See [`std::thread::ScopedJoinHandle`].
pub struct ScopedJoinHandle<'scope, T> {
    unjoined: &'scope Mutex<Vec<Arc<Scoped>>>,
    scoped: Arc<Scoped>,
    thread: Thread,
    packet: Arc<Packet<T>>,
}

/// A thread that two may want to join: who has its handle, which may be another thread of the scope,
/// and the scope itself.
struct Scoped {
    tid: u32,
    state: Mutex<State>,
}

enum State {
    Unjoined(Native),
    Joined {
        completed: bool,
    },
    /// Who has the handle was told, so that the scope need not panic.
    Trapped,
}

impl Scoped {
    #[inline(never)]
    fn add(unjoined: &Mutex<Vec<Arc<Scoped>>>, native: Native) -> Arc<Scoped> {
        let scoped = Arc::new(Scoped {
            tid: native.tid(),
            state: Mutex::new(State::Unjoined(native)),
        });
        lock(unjoined).push(Arc::clone(&scoped));
        scoped
    }

    /// Waits for the thread's end. Returns whether it came to its end, instead of trapping.
    fn join(&self, by_handle: bool) -> bool {
        // Held while the host waits: the second to come waits here, and finds the outcome.
        let mut state = lock(&self.state);
        let completed = match core::mem::replace(&mut *state, State::Trapped) {
            State::Unjoined(native) => native.join(),
            State::Joined { completed } => completed,
            State::Trapped => false,
        };
        if completed || !by_handle {
            *state = State::Joined { completed };
        }
        completed
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `f` with a scope in which threads can be spawned that borrow from outside of `f`, and waits
/// for all of them before it returns. See [`std::thread::scope`].
///
/// # Panics
///
/// If a thread of the scope that was not joined by hand trapped.
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope {
        unjoined: Mutex::new(Vec::new()),
        scope: PhantomData,
        env: PhantomData,
    };
    // Should `f` panic, this thread traps here, and the stack it leaves behind is never freed: the
    // scoped threads may run on.
    let result = f(&scope);
    join_all(&scope.unjoined);
    result
}

/// The join of a handle. Returns whether the thread came to its end, instead of trapping.
#[inline(never)]
fn join_one(unjoined: &Mutex<Vec<Arc<Scoped>>>, scoped: &Arc<Scoped>) -> bool {
    {
        let mut unjoined = lock(unjoined);
        if let Some(at) = unjoined.iter().position(|other| Arc::ptr_eq(other, scoped)) {
            unjoined.swap_remove(at);
        }
    }
    scoped.join(true)
}

/// The end of a scope.
#[inline(never)]
fn join_all(unjoined: &Mutex<Vec<Arc<Scoped>>>) {
    let mut failed = Vec::new();
    // One at a time: threads yet to be joined may add further ones.
    while let Some(scoped) = { lock(unjoined).pop() } {
        if !scoped.join(false) {
            failed.push(scoped);
        }
    }
    // Only now: another thread of the scope may have had the handle, and have dealt with it.
    let unhandled = failed
        .iter()
        .any(|scoped| matches!(*lock(&scoped.state), State::Joined { completed: false }));
    assert!(!unhandled, "a scoped thread panicked");
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// Spawns a thread within the scope. See [`std::thread::Scope::spawn`].
    ///
    /// # Panics
    ///
    /// If the host refuses to create a thread.
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        match Builder::new().spawn_in(self, f) {
            Ok(handle) => handle,
            Err(error) => error.panic(),
        }
    }
}

impl Builder {
    /// Spawns a thread within `scope`. See [`std::thread::Builder::spawn_scoped`].
    ///
    /// # Errors
    ///
    /// If the host refuses to create a thread, or its stack cannot be allocated.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL.
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Ok(self.spawn_in(scope, f)?)
    }

    fn spawn_in<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        f: F,
    ) -> core::result::Result<ScopedJoinHandle<'scope, T>, SpawnError>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        // SAFETY: `scope` joins the thread before 'scope ends, by way of `unjoined`, unless
        // `ScopedJoinHandle::join` did.
        let (native, thread, packet) = unsafe { self.spawn_inner(f) }?;
        let scoped = Scoped::add(&scope.unjoined, native);
        Ok(ScopedJoinHandle {
            unjoined: &scope.unjoined,
            scoped,
            thread,
            packet,
        })
    }
}

impl<T> ScopedJoinHandle<'_, T> {
    /// The handle of the thread.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Waits for the thread to end, and returns what its closure returned.
    ///
    /// # Errors
    ///
    /// If the thread trapped, which a panic does: a `&'static str` that says so.
    ///
    /// # Panics
    ///
    /// If the thread joins itself.
    pub fn join(self) -> Result<T> {
        if join_one(self.unjoined, &self.scoped) {
            Ok(self.packet.take())
        } else {
            Err(trapped())
        }
    }

    /// Whether the thread has ended, so that [`join`](Self::join) would not block.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        native::is_finished(self.scoped.tid)
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").finish_non_exhaustive()
    }
}
