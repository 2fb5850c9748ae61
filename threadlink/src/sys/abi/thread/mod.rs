//! [`std::thread`], on the thread calls of the ABI.

mod handle;
mod imports;
mod native;
mod scoped;
mod stack;

use core::any::Any;
use core::cell::UnsafeCell;
use core::fmt;
use core::num::NonZeroUsize;
use core::time::Duration;
use std::io;
use std::sync::Arc;

use handle::Inner;
use native::{Native, SpawnError};
use stack::Work;

pub use handle::{Thread, ThreadId, current, park, park_timeout};
pub use scoped::{Scope, ScopedJoinHandle, scope};
pub use std::thread::{Result, panicking};

use crate::abi::Errno;

/// Where a thread leaves what its closure returned, for the one who joins it.
///
/// Counted: if the handle is dropped first, the thread drops the result.
struct Packet<T> {
    result: UnsafeCell<Option<T>>,
}

// SAFETY: the thread writes the result before it ends, and the joiner reads it after that; nobody
// else does either.
unsafe impl<T: Send> Sync for Packet<T> {}

impl<T> Packet<T> {
    /// Takes the result of a thread that was joined.
    fn take(mut self: Arc<Self>) -> T {
        // The thread dropped its reference before it ended, and ended before it was joined.
        match Arc::get_mut(&mut self).and_then(|packet| packet.result.get_mut().take()) {
            Some(value) => value,
            // The host said that a thread has ended, and it has not. Nothing can be relied upon.
            None => imports::panic(Errno::RuntimeFailure.code()),
        }
    }
}

/// What `join` returns for a thread that trapped: there is no panic payload to hand on.
fn trapped() -> Box<dyn Any + Send> {
    Box::new(Errno::JoinFailed.message())
}

/// How a thread is to be made. See [`std::thread::Builder`].
#[derive(Debug)]
#[must_use = "must eventually spawn the thread"]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
}

impl Builder {
    /// A thread without a name, and with the default stack size.
    #[expect(clippy::new_without_default, reason = "std's Builder has no Default")]
    pub fn new() -> Builder {
        Builder {
            name: None,
            stack_size: None,
        }
    }

    /// Names the thread, for reports and panic messages. Must not contain a NUL.
    pub fn name(mut self, name: String) -> Builder {
        self.name = Some(name);
        self
    }

    /// Sets the size of the stack in bytes. The default is 128 KiB, the least 4 KiB.
    pub fn stack_size(mut self, size: usize) -> Builder {
        self.stack_size = Some(size);
        self
    }

    /// Spawns the thread. See [`std::thread::Builder::spawn`].
    ///
    /// # Errors
    ///
    /// If the host refuses to create a thread, or its stack cannot be allocated.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL.
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: the closure and its result borrow nothing.
        unsafe { self.spawn_unchecked(f) }
    }

    /// Spawns the thread, without a bound on what it borrows. See
    /// [`std::thread::Builder::spawn_unchecked`].
    ///
    /// # Safety
    ///
    /// The thread is joined before anything that the closure or its result borrows ends.
    ///
    /// # Errors
    ///
    /// If the host refuses to create a thread, or its stack cannot be allocated.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL.
    pub unsafe fn spawn_unchecked<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        // SAFETY: the caller's promise is the same.
        let (native, thread, packet) = unsafe { self.spawn_inner(f) }?;
        Ok(JoinHandle {
            native,
            thread,
            packet,
        })
    }

    /// # Safety
    ///
    /// As for [`spawn_unchecked`](Builder::spawn_unchecked).
    unsafe fn spawn_inner<F, T>(
        self,
        f: F,
    ) -> core::result::Result<(Native, Thread, Arc<Packet<T>>), SpawnError>
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        let packet = Arc::new(Packet {
            result: UnsafeCell::new(None),
        });
        let theirs = Arc::clone(&packet);
        let main = move || {
            let result = f();
            // SAFETY: the joiner waits for the end of this thread before it looks.
            unsafe { *theirs.result.get() = Some(result) };
            // If nobody will join, this drops the result, in the thread that made it.
            drop(theirs);
        };
        let main: Box<dyn FnOnce() + Send + '_> = Box::new(main);
        // SAFETY: the same type but for a lifetime, and the caller sees to it that the thread has
        // ended before that does.
        let main: Box<dyn FnOnce() + Send + 'static> = unsafe { core::mem::transmute(main) };
        let (native, thread) = self.create(main)?;
        Ok((native, thread, packet))
    }

    /// What does not depend on the closure's type, once for all closures.
    #[inline(never)]
    fn create(
        self,
        main: Box<dyn FnOnce() + Send>,
    ) -> core::result::Result<(Native, Thread), SpawnError> {
        let inner = Inner::new(self.name);
        let work = Work {
            main,
            inner: Arc::clone(&inner),
        };
        let native = Native::create(self.stack_size, work)?;
        let thread = Thread::new(inner, native.tid());
        Ok((native, thread))
    }
}

/// An owned permission to join a thread; dropping it detaches the thread. See
/// [`std::thread::JoinHandle`].
pub struct JoinHandle<T> {
    native: Native,
    thread: Thread,
    packet: Arc<Packet<T>>,
}

// SAFETY: `T` is reached only by `join`, in the thread that owns the handle, and was `Send` when the
// thread was spawned. The rest is `Send` and `Sync` by itself.
unsafe impl<T> Send for JoinHandle<T> {}
// SAFETY: a shared reference to the handle does not lead to the `T`.
unsafe impl<T> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// The handle of the thread.
    #[must_use]
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Waits for the thread to end, and returns what its closure returned. See
    /// [`std::thread::JoinHandle::join`].
    ///
    /// # Errors
    ///
    /// If the thread trapped, which a panic does: a `&'static str` that says so.
    ///
    /// # Panics
    ///
    /// If the thread joins itself.
    pub fn join(self) -> Result<T> {
        if self.native.join() {
            Ok(self.packet.take())
        } else {
            Err(trapped())
        }
    }

    /// Whether the thread has ended, so that [`join`](Self::join) would not block.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.native.is_finished()
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}

/// Spawns a thread. See [`std::thread::spawn`].
///
/// # Panics
///
/// If the host refuses to create a thread; [`Builder::spawn`] returns an error instead.
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // SAFETY: the closure and its result borrow nothing.
    match unsafe { Builder::new().spawn_inner(f) } {
        Ok((native, thread, packet)) => JoinHandle {
            native,
            thread,
            packet,
        },
        Err(error) => error.panic(),
    }
}

/// Lets other threads run.
pub fn yield_now() {
    imports::thread_yield();
}

/// Blocks the calling thread for at least `duration`.
pub fn sleep(duration: Duration) {
    let mut rest = duration.as_nanos();
    while rest > 0 {
        let part = u64::try_from(rest).unwrap_or(u64::MAX);
        imports::thread_sleep(part);
        rest -= u128::from(part);
    }
}

/// How many threads the host runs at once, at least 1.
///
/// # Errors
///
/// If the host does not know.
pub fn available_parallelism() -> io::Result<NonZeroUsize> {
    usize::try_from(imports::available_parallelism())
        .ok()
        .and_then(NonZeroUsize::new)
        .ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
}
