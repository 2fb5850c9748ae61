//! Targets whose std has threads: everything is std's own.

#[cfg(feature = "task")]
pub(crate) mod entry;
#[cfg(all(feature = "sync", target_family = "wasm", target_feature = "atomics"))]
pub(crate) mod locks {
    pub use crate::sync::futex::{RawCondvar, RawMutex, RawRwLock};
}
#[cfg(all(
    feature = "sync",
    not(all(target_family = "wasm", target_feature = "atomics"))
))]
pub(crate) mod locks {
    /// The raw reader-writer lock within a `TracingRwLock`.
    pub type RawRwLock = parking_lot::RawRwLock;

    pub use parking_lot::{RawCondvar, RawMutex};
}
pub(crate) mod process;
pub(crate) mod thread {
    pub use std::thread::{
        Builder, JoinHandle, Result, Scope, ScopedJoinHandle, Thread, ThreadId,
        available_parallelism, current, panicking, park, park_timeout, scope, sleep, spawn,
        yield_now,
    };
}
pub(crate) mod time {
    pub use std::time::Instant;
}
