//! Who a thread is: its handle, and how it is woken.

use core::arch::wasm32;
use core::cell::Cell;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::imports;

/// The number a host gave a thread. Never given twice in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadId(u32);

/// A handle to a thread, to name or to wake it. See [`std::thread::Thread`].
#[derive(Clone)]
pub struct Thread {
    inner: Arc<Inner>,
    /// Beside the shared part, not in it: both sides learn the number from the host, and neither has
    /// to wait for the other to write it down.
    id: ThreadId,
}

/// What all handles to one thread share.
#[derive(Debug)]
pub(super) struct Inner {
    name: Option<String>,
    parker: Parker,
}

impl Inner {
    /// # Panics
    ///
    /// If the name contains a NUL, as std does.
    pub(super) fn new(name: Option<String>) -> Arc<Inner> {
        if let Some(name) = &name {
            assert!(
                !name.contains('\0'),
                "thread name may not contain interior null bytes"
            );
        }
        Arc::new(Inner {
            name,
            parker: Parker::new(),
        })
    }
}

impl Thread {
    pub(super) fn new(inner: Arc<Inner>, tid: u32) -> Thread {
        Thread {
            inner,
            id: ThreadId(tid),
        }
    }

    /// The number that tells this thread from all others of the run.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.id
    }

    /// The name given with [`Builder::name`](super::Builder::name), `main` for the first thread.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    /// Wakes the thread from [`park`](super::park), or makes its next `park` return at once.
    ///
    /// What the caller did before happens before what the thread does after that `park`.
    pub fn unpark(&self) {
        self.inner.parker.unpark();
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("id", &self.id)
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

thread_local! {
    /// An `Arc::into_raw`, null until it is asked for in a thread that `enter` did not see: the first.
    /// Not an `Arc`, because its destructor would not run on this target and its registration leaks.
    static CURRENT: Cell<*const Inner> = const { Cell::new(ptr::null()) };
    static TID: Cell<u32> = const { Cell::new(0) };
}

/// Makes `inner` the calling thread's own, and tells the host its name.
pub(super) fn enter(inner: Arc<Inner>) {
    let tid = imports::thread_current();
    if let Some(name) = &inner.name {
        // The name is only for people, so a host that does not want it is no reason to stop.
        // SAFETY: the pointer is to this many bytes.
        let _ = unsafe { imports::thread_set_name(tid, name.as_ptr(), name.len()) };
    }
    TID.set(tid);
    CURRENT.set(Arc::into_raw(inner));
}

/// Undoes [`enter`], since no destructor of a thread-local will.
pub(super) fn leave() {
    let inner = CURRENT.replace(ptr::null());
    if !inner.is_null() {
        // SAFETY: it came from `Arc::into_raw`, and is taken back once.
        drop(unsafe { Arc::from_raw(inner) });
    }
}

/// A handle to the calling thread.
#[must_use]
pub fn current() -> Thread {
    let mut inner = CURRENT.get();
    if inner.is_null() {
        inner = Arc::into_raw(Inner::new(Some(String::from("main"))));
        TID.set(imports::thread_current());
        CURRENT.set(inner);
    }
    // SAFETY: it came from `Arc::into_raw`. The thread keeps that reference; this one is a copy.
    let inner = unsafe { ManuallyDrop::new(Arc::from_raw(inner)) };
    Thread {
        inner: Arc::clone(&inner),
        id: ThreadId(TID.get()),
    }
}

/// Blocks until another thread calls [`Thread::unpark`], which may have been before. May also return
/// for no reason.
pub fn park() {
    current().inner.parker.park(None);
}

/// Blocks as [`park`] does, but no longer than `timeout`.
pub fn park_timeout(timeout: Duration) {
    current().inner.parker.park(Some(timeout));
}

/// The token that `unpark` leaves and `park` takes.
#[derive(Debug)]
struct Parker {
    state: AtomicU32,
}

const EMPTY: u32 = 0;
const TOKEN: u32 = 1;
const PARKED: u32 = 2;

impl Parker {
    const fn new() -> Parker {
        Parker {
            state: AtomicU32::new(EMPTY),
        }
    }

    /// Only its own thread may call this.
    fn park(&self, timeout: Option<Duration>) {
        if self.swap_if(EMPTY, PARKED) {
            let nanos = timeout.map_or(-1, |t| i64::try_from(t.as_nanos()).unwrap_or(-1));
            // SAFETY: the pointer is to a word of shared memory, aligned to 4.
            unsafe {
                wasm32::memory_atomic_wait32(self.state.as_ptr().cast(), PARKED as i32, nanos);
            }
        }
        // Takes the token if there is one. If there is none, the time is up or nobody knows why we
        // woke, and `park` may return all the same.
        self.state.swap(EMPTY, Ordering::Acquire);
    }

    fn unpark(&self) {
        if self.state.swap(TOKEN, Ordering::Release) == PARKED {
            // SAFETY: the pointer is to a word of shared memory, aligned to 4.
            unsafe { wasm32::memory_atomic_notify(self.state.as_ptr().cast(), 1) };
        }
    }

    fn swap_if(&self, from: u32, to: u32) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }
}
