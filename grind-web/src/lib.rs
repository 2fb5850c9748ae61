//! grind where there are no threads, no files and no clock but JavaScript's: in a page, and in Node.
//!
//! All threads of a guest are interleaved on the one thread that this runs on, so that a page needs neither workers nor shared memory,
//! nor the headers that those take. [`Checker`] is the work as an object that is stepped; what JavaScript sees of it is in `bindings`,
//! and what a user of the package sees is in `js/index.mjs`.

// All but the bindings, in which wasm-bindgen generates some.
#![cfg_attr(not(target_arch = "wasm32"), forbid(unsafe_code))]

mod checker;
mod error;
mod options;
mod streams;

#[cfg(target_arch = "wasm32")]
mod bindings;

pub use checker::{Checker, Finished, Progress};
pub use error::WebError;
pub use options::{Detail, Options};
