//! Threads, with the interface and the meaning of [`std::thread`].
//!
//! On a native target and on `wasm32-wasip1-threads` these *are* the items of `std::thread`. On
//! `wasm32-unknown-unknown` with atomics, where `std::thread::spawn` returns an error, they are
//! built on the [ABI](crate::abi) of the thread host.
//!
//! ```
//! use threadlink::thread;
//!
//! let mut numbers = vec![1, 2, 3];
//! let sum = thread::scope(|s| {
//!     let worker = s.spawn(|| numbers.iter().sum::<i32>());
//!     worker.join().expect("the worker panicked")
//! });
//! numbers.push(sum);
//! assert_eq!(numbers, [1, 2, 3, 6]);
//! ```
//!
//! # What differs on the ABI
//!
//! - **Panics.** The target aborts on panic: the panicking thread traps, and never unwinds.
//!   [`JoinHandle::join`] then returns `Err` with a `&'static str`, and [`scope`] panics in its turn,
//!   as std's does when a scoped thread panicked. Locks the thread held stay locked, and its
//!   closure is never dropped.
//! - **Thread-local destructors do not run.** std has no thread-exit hook on this target, so the
//!   value of a `thread_local!` that needs dropping is leaked when its thread ends.
//! - **Stacks.** 128 KiB unless [`Builder::stack_size`] says otherwise; `RUST_MIN_STACK` is not read.
//!   The stack is ordinary guest memory, below it lies other memory, and there is no guard page:
//!   an overflow overwrites the heap.
//! - **The end of the run.** As with std, the run ends when `main` returns, whatever detached threads
//!   are doing.

pub use crate::sys::thread::{
    Builder, JoinHandle, Result, Scope, ScopedJoinHandle, Thread, ThreadId, available_parallelism,
    current, panicking, park, park_timeout, scope, sleep, spawn, yield_now,
};
