//! Coming back into a module that has returned to its host.
//!
//! A host may do so in a fresh instance, over the same memory. There, the stack pointer is that of the first
//! thread at the start, which is right, for its stack is empty; but `__tls_base` is 0: the linker sets it only
//! in the instance that initialised the memory. So it is noted down when the first thread runs tasks, and put
//! in its place before anything else.

use core::arch::global_asm;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Threads are on the ABI: one can be blocked.
pub(crate) const CAN_BLOCK: bool = true;

/// `__tls_base` of the thread that runs the main task.
static TLS_BASE: AtomicUsize = AtomicUsize::new(0);

global_asm!(
    "
    .globaltype __tls_base, i32

    .section .text.__threadlink_tls_base,\"\",@
    .globl __threadlink_tls_base
    .type __threadlink_tls_base, @function
__threadlink_tls_base:
    .functype __threadlink_tls_base () -> (i32)
    global.get __tls_base
    end_function

    .section .text.__threadlink_set_tls_base,\"\",@
    .globl __threadlink_set_tls_base
    .type __threadlink_set_tls_base, @function
__threadlink_set_tls_base:
    .functype __threadlink_set_tls_base (i32) -> ()
    local.get 0
    global.set __tls_base
    end_function
    "
);

unsafe extern "C" {
    safe fn __threadlink_tls_base() -> usize;
    /// No reference to the storage of before may be in use, and the new one must be this thread's.
    fn __threadlink_set_tls_base(base: usize);
}

/// The caller runs the main task. The first who says so counts.
pub(crate) fn remember() {
    let base = __threadlink_tls_base();
    let _ = TLS_BASE.compare_exchange(0, base, Ordering::Relaxed, Ordering::Relaxed);
}

/// Makes a fresh instance one of the thread that runs the main task. It reads and writes nothing that is
/// thread-local.
pub(crate) fn restore() {
    let base = TLS_BASE.load(Ordering::Relaxed);
    if base != 0 && __threadlink_tls_base() == 0 {
        // SAFETY: with a base of 0 nothing has been used. The host calls while nothing else runs on the storage
        // of that thread, just as on its stack.
        unsafe { __threadlink_set_tls_base(base) };
    }
}
