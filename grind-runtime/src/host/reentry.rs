//! A function of the host that calls the runtime whose guest called it: whatever it waited for could never happen.

use std::cell::RefCell;
use std::ptr;

thread_local! {
    /// The runtimes whose guests run on this thread of the host, innermost last: the function of one may let another run.
    static RUNNING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// A guest runs on this thread, as long as this lives.
pub(super) struct Running;

impl Running {
    /// That of what is here.
    pub(super) fn begin<T>(runtime: &T) -> Running {
        RUNNING.with_borrow_mut(|running| running.push(ptr::from_ref(runtime).addr()));
        Running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(Vec::pop);
    }
}

/// Whether the guest of this runtime runs on this thread.
pub(super) fn runs<T>(runtime: &T) -> bool {
    RUNNING.with_borrow(|running| running.contains(&ptr::from_ref(runtime).addr()))
}
