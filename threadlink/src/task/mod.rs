//! An executor of `async` tasks that only schedules: it has no I/O, no timers and no threads of its own.
//!
//! Each thread has one, and tasks stay on the thread that spawned them, so they need not be `Send`. Tasks run in
//! the order in which they became ready, and only while [`poll`], [`run_async_main`] or [`block_on`] runs them. When only
//! blocked tasks are left, the first two return to their caller, in a guest to the host, and never spin.
//!
//! ```
//! use threadlink::task::{self, Group, Progress};
//!
//! let done = task::run_async_main(task::group(async |group: Group<String>| {
//!     let double = group.spawn(async {
//!         task::pause().await;
//!         Ok(2 * 21)
//!     });
//!     let text = group.spawn(async { Ok("the answer is") });
//!     Ok(format!("{} {}", text.await.unwrap(), double.await.unwrap()))
//! }));
//! assert_eq!(done, Ok(Progress::Done(Ok("the answer is 42".to_owned()))));
//! ```
//!
//! | for | there is |
//! | --- | --- |
//! | tasks | [`spawn`], [`JoinHandle`], [`AbortHandle`], [`pause`] |
//! | tasks that end with what started them | [`group`], [`Group`] |
//! | between tasks of one thread | [`Queue`], [`Semaphore`], [`CondVar`], [`Mutex`] |
//! | from other threads | [`oneshot`], and the wakers of all futures |
//! | from the host | [`host`], [`export_poll!`](crate::export_poll) |
//!
//! Nothing of it has a bound of its own but the queue that is given one, and tasks and waiters take memory while they
//! are; `docs/tasks.md` in the repository says what bounds there are.
//!
//! # Cancellation
//!
//! A cancelled task is not polled again: when its turn comes, its future is dropped. What it waited for is
//! told by that drop; every future of this module may be dropped at any time, and says what becomes of what it was
//! about to get. The handle of the task then says [`JoinError::Cancelled`].
//!
//! - A task that is only queued is dropped in its place in the queue, and was never polled.
//! - A task that cancels itself, or is cancelled by what it calls, is dropped after the poll that it is in, unless that
//!   was its last: then its result stands.
//! - Cancelling a task that has ended does nothing.
//! - A destructor may cancel, spawn and wake tasks as other code may. One that panics while its task is
//!   cancelled makes the task one that panicked.
//!
//! # Panics
//!
//! Where panics unwind, a task that panics ends, and its [`JoinHandle`] says [`JoinError::Panicked`] with the
//! payload. On WebAssembly a panic is a trap, which ends the thread with all of its tasks.
//!
//! # Threads
//!
//! Wakers are for any thread, as are [`AbortHandle`]s and [`oneshot`] channels. One that is called in the task's own
//! thread takes no lock, and counts nothing but itself. In another it takes a mutex for a moment, and the task runs in
//! the round after the present one. A thread in [`block_on`] is unparked by it; a module that has returned to the host
//! is not: the host learns of it when it calls in again. What the waking thread did before happens before the poll.
//!
//! When a thread ends, its tasks are cancelled. On `wasm32-unknown-unknown` they are leaked, as all that
//! thread-locals hold.
//!
//! # Re-entry
//!
//! `_start` of a module calls [`run_async_main`], and [`export_poll!`](crate::export_poll) exports `threadlink_poll`, by which
//! the host goes on. `docs/abi.md` in the repository says what a host has to know.

mod cell;
mod condvar;
mod executor;
mod group;
pub mod host;
mod join;
mod mutex;
pub mod oneshot;
mod pause;
mod queue;
mod semaphore;
mod waiters;
mod wake;

pub use condvar::{CondVar, Wait};
#[doc(hidden)]
pub use executor::__poll_export;
pub use executor::{Progress, RunError, block_on, poll, run_async_main, spawn};
pub use group::{Group, GroupError, NoWait, group};
pub use join::{AbortHandle, JoinError, JoinHandle};
pub use mutex::{Mutex, MutexGuard};
pub use pause::{Pause, pause};
pub use queue::{Closed, Pop, Push, Queue, TryPopError, TryPushError};
pub use semaphore::{Acquire, Permit, Semaphore};

/// Exports `threadlink_poll`, by which the host goes on with the tasks of the thread that called
/// [`run_async_main`](crate::task::run_async_main).
///
/// ```
/// # use threadlink::task;
/// async fn work() {
///     task::pause().await;
/// }
///
/// fn main() {
///     // Returns to the host when `work` is blocked.
///     task::run_async_main(work()).expect("nothing else runs");
/// }
///
/// threadlink::main!(main);
/// threadlink::export_poll!();
/// ```
///
/// Natively it expands to nothing.
#[macro_export]
macro_rules! export_poll {
    () => {
        #[cfg(target_family = "wasm")]
        #[unsafe(no_mangle)]
        pub extern "C" fn threadlink_poll() -> i32 {
            $crate::task::__poll_export()
        }
    };
}
