//! A monotonic clock, with the interface and the meaning of [`std::time`].
//!
//! Natively and on WASI these are std's. On `wasm32-unknown-unknown` with atomics, where
//! `std::time::Instant::now` panics, [`Instant`] reads the host's monotonic clock through
//! `wasi_snapshot_preview1.clock_time_get`.

pub use std::time::Duration;

pub use crate::sys::time::Instant;
