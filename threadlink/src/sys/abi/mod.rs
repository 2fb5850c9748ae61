//! `wasm32-unknown-unknown` with atomics: everything over the host's imports.

#[cfg(feature = "task")]
pub(crate) mod entry;
#[cfg(feature = "sync")]
pub(crate) mod locks {
    pub use crate::sync::futex::{RawCondvar, RawMutex, RawRwLock};
}
pub(crate) mod process;
pub(crate) mod thread;
pub(crate) mod time;
