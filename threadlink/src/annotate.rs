//! Facts for a race detector that it cannot see by itself.
//!
//! All of it does nothing unless the guest is built for WebAssembly with feature `tracing`, so it may
//! stay in the code.
//!
//! ```
//! use threadlink::annotate;
//!
//! static STATS: [u32; 4] = [0; 4];
//!
//! annotate::thread_name("collector");
//! // Lossy on purpose: a lost count is no bug here.
//! annotate::benign_race(&STATS);
//! {
//!     let _ignore = annotate::ignore();
//!     // Accesses here are not checked.
//! }
//! ```

use core::marker::PhantomData;

#[cfg(all(target_family = "wasm", feature = "tracing"))]
mod imports {
    #[link(wasm_import_module = "threadlink")]
    unsafe extern "C" {
        pub(super) safe fn annotate_happens_before(address: usize);
        pub(super) safe fn annotate_happens_after(address: usize);
        pub(super) safe fn annotate_ignore_begin();
        pub(super) safe fn annotate_ignore_end();
        pub(super) safe fn annotate_benign_race(address: usize, len: usize);
        /// `name` must point to `len` bytes.
        pub(super) fn annotate_thread_name(name: *const u8, len: usize);
        /// `name` must point to `len` bytes.
        pub(super) fn annotate_lock_name(lock: usize, name: *const u8, len: usize);
    }
}

/// Runs the block where the host listens, else evaluates nothing.
macro_rules! traced {
    ($($arg:ident),* => $call:expr) => {
        #[cfg(all(target_family = "wasm", feature = "tracing"))]
        $call;
        #[cfg(not(all(target_family = "wasm", feature = "tracing")))]
        let _ = ($($arg,)*);
    };
}

/// What the calling thread did so far happens before what any thread does after a later
/// [`happens_after`] with the same address.
///
/// For synchronisation that the detector does not understand. The address is only a name.
pub fn happens_before<T: ?Sized>(address: *const T) {
    traced!(address => imports::annotate_happens_before(address.cast::<()>().addr()));
}

/// The other half of [`happens_before`].
pub fn happens_after<T: ?Sized>(address: *const T) {
    traced!(address => imports::annotate_happens_after(address.cast::<()>().addr()));
}

/// Accesses of the calling thread from here to the matching [`ignore_end`] are not checked. Nests.
///
/// [`ignore`] pairs the two by itself.
pub fn ignore_begin() {
    traced!(=> imports::annotate_ignore_begin());
}

/// Ends what [`ignore_begin`] began.
pub fn ignore_end() {
    traced!(=> imports::annotate_ignore_end());
}

/// Accesses of the calling thread are not checked while the guard lives. Nests.
#[must_use = "accesses are checked again once the guard is dropped"]
pub fn ignore() -> IgnoreGuard {
    ignore_begin();
    IgnoreGuard {
        not_send: PhantomData,
    }
}

/// Ends an [`ignore`] when dropped.
#[derive(Debug)]
pub struct IgnoreGuard {
    /// What it ends belongs to the thread that began it.
    not_send: PhantomData<*const ()>,
}

impl Drop for IgnoreGuard {
    fn drop(&mut self) {
        ignore_end();
    }
}

/// Races on the bytes of `data` are intended, and not to be reported.
pub fn benign_race<T: ?Sized>(data: &T) {
    let len = size_of_val(data);
    let address = core::ptr::from_ref(data).cast::<u8>();
    benign_race_range(address, len);
}

/// Races on the `len` bytes from `address` are intended, and not to be reported.
pub fn benign_race_range(address: *const u8, len: usize) {
    traced!(address, len => imports::annotate_benign_race(address.addr(), len));
}

/// Names the calling thread in reports.
///
/// A thread made with [`Builder::name`](crate::thread::Builder::name) has its name already.
pub fn thread_name(name: &str) {
    traced!(name => {
        // SAFETY: the pointer is to this many bytes.
        unsafe { imports::annotate_thread_name(name.as_ptr(), name.len()) }
    });
}

/// Names a lock in reports.
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use threadlink::{annotate, sync::TracingMutex};
///
/// static ACCOUNTS: TracingMutex<Vec<u32>> = TracingMutex::new(Vec::new());
/// annotate::lock_name(&ACCOUNTS, "accounts");
/// # }
/// ```
pub fn lock_name<L: TracedLock + ?Sized>(lock: &L, name: &str) {
    traced!(lock, name => {
        // SAFETY: the pointer is to this many bytes.
        unsafe { imports::annotate_lock_name(lock.lock_address(), name.as_ptr(), name.len()) }
    });
}

/// A lock that hooks report by an address.
pub trait TracedLock {
    /// The address its hooks pass: that of the raw lock, which need not be that of the whole.
    fn lock_address(&self) -> usize;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_callable_without_a_host() {
        let data = [1_u8, 2, 3];
        happens_before(&data);
        happens_after(&raw const data);
        thread_name("tester");
        benign_race(&data);
        benign_race(data.as_slice());
        benign_race_range(data.as_ptr(), data.len());
        {
            let _outer = ignore();
            let _inner = ignore();
            ignore_begin();
            ignore_end();
        }
    }
}
