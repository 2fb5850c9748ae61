//! Threads and traced locks for multi-threaded WebAssembly guests.
//!
//! A guest built for `wasm32-unknown-unknown` with atomics has `std::sync`, but `std::thread::spawn`
//! returns an error there: nobody told std how to make a thread. This crate supplies what is
//! missing, over a small interface that a thread host such as `grind` implements, and locks that
//! tell the host what they do, so that a race or deadlock report can name them.
//!
//! | module | in place of | what it adds |
//! | --- | --- | --- |
//! | [`thread`] | `std::thread` | works on `wasm32-unknown-unknown` |
//! | `sync` (feature `sync`, on by default) | `parking_lot` | lock hooks (feature `tracing`) |
//! | `task` (feature `task`, on by default) | an executor of `async` tasks | returns to the host when all are blocked |
//! | `host` (feature `task`) | | asynchronous functions of the host as futures, and a guest's own for the host |
//! | [`annotate`] | | facts a detector cannot see by itself |
//! | [`process`] | `std::env`, `std::process` | arguments, output and exit code on `wasm32-unknown-unknown` |
//! | [`time`] | `std::time` | a clock on `wasm32-unknown-unknown` |
//! | [`abi`] | | the interface itself, for whoever writes a host |
//!
//! Everywhere else the same names are those of std, so a guest's own `cargo test` runs natively.
//! Porting is changing `use` lines:
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use threadlink::thread; // was: std::thread
//!
//! let hits = Arc::new(AtomicU32::new(0));
//! let workers: Vec<_> = (0..4)
//!     .map(|_| {
//!         let hits = Arc::clone(&hits);
//!         thread::spawn(move || hits.fetch_add(1, Ordering::Relaxed))
//!     })
//!     .collect();
//! for worker in workers {
//!     worker.join().expect("a worker panicked");
//! }
//! assert_eq!(hits.load(Ordering::Relaxed), 4);
//! ```
//!
//! # Features
//!
//! - `sync` (default): the [`sync`](https://docs.rs/threadlink/latest/threadlink/sync) module.
//! - `task` (default): the [`task`](https://docs.rs/threadlink/latest/threadlink/task) module. It has no dependencies.
//! - `tracing`: on WebAssembly, locks and annotations call the host. Without it the built module
//!   imports none of those functions, and the calls vanish.
//!
//! # Targets
//!
//! | target | threads | raw locks | host calls |
//! | --- | --- | --- | --- |
//! | `wasm32-unknown-unknown` with `target_feature = "atomics"` | the threadlink ABI | own, on `memory.atomic.wait32` | `threadlink` and `wasi_snapshot_preview1` |
//! | `wasm32-wasip1-threads`, on stable Rust | `std::thread` | own, on std's condition variables | `threadlink` hooks, with `tracing` |
//! | native | `std::thread` | `parking_lot` | none |
//!
//! The first needs a std built with atomics (`-Zbuild-std`) and two unstable features, for the
//! assembly that gives a new thread its stack and for the wait instruction; `RUSTC_BOOTSTRAP=1`
//! allows both on a stable toolchain. `test-programs/build.sh` in the repository is a worked example.

#![cfg_attr(
    all(
        target_arch = "wasm32",
        target_os = "unknown",
        target_feature = "atomics"
    ),
    feature(
        asm_experimental_arch,
        process_exitcode_internals,
        stdarch_wasm_atomic_wait
    ),
    expect(
        internal_features,
        reason = "nothing else tells the number of a `std::process::ExitCode`"
    )
)]

pub mod abi;
pub mod annotate;
#[cfg(feature = "task")]
pub mod host;
pub mod process;
#[cfg(feature = "sync")]
pub mod sync;
#[cfg(feature = "task")]
pub mod task;
pub mod thread;
pub mod time;

#[cfg(feature = "sync")]
mod hooks;

/// What a target provides: the one place that asks which target it is.
#[cfg(all(
    target_arch = "wasm32",
    target_os = "unknown",
    target_feature = "atomics"
))]
#[path = "sys/abi/mod.rs"]
mod sys;
/// What a target provides: the one place that asks which target it is.
#[cfg(not(all(
    target_arch = "wasm32",
    target_os = "unknown",
    target_feature = "atomics"
)))]
#[path = "sys/host/mod.rs"]
mod sys;
