//! Arguments, environment, output and exit code of the running program.
//!
//! On `wasm32-unknown-unknown` with atomics these are `wasi_snapshot_preview1` calls, since std there
//! has neither arguments nor an output; a guest imports only those it uses. Everywhere else they are
//! std's.
//!
//! ```
//! use threadlink::process;
//!
//! let threads = process::args()
//!     .skip_while(|arg| arg != "--threads")
//!     .nth(1)
//!     .map_or(2, |n| n.parse().expect("--threads takes a number"));
//! threadlink::println!("{threads} threads");
//! # assert_eq!(threads, 2);
//! ```

pub use std::env::VarError;

pub use crate::sys::process::{Args, Termination, exit};

#[doc(hidden)]
pub use crate::sys::process::{__eprint, __print};

#[cfg(all(
    target_arch = "wasm32",
    target_os = "unknown",
    target_feature = "atomics"
))]
#[doc(hidden)]
pub use crate::sys::process::__start;

/// The arguments the program was started with; the first is its name.
///
/// # Panics
///
/// If an argument is not UTF-8: as with [`std::env::args`], when it is reached natively, at once on
/// the ABI.
pub fn args() -> Args {
    crate::sys::process::args()
}

/// The value of an environment variable.
///
/// # Errors
///
/// [`VarError::NotPresent`] when it is not set, [`VarError::NotUnicode`] when its value is not UTF-8.
pub fn var(name: &str) -> Result<String, VarError> {
    crate::sys::process::var(name)
}

/// Writes `text` to standard output, in one call and without a buffer.
///
/// No lock is taken, unlike with std: two threads that print are not ordered by it.
///
/// # Panics
///
/// If writing fails.
pub fn print(text: &str) {
    __print(format_args!("{text}"));
}

/// Writes `text` to standard error, in one call and without a buffer.
///
/// # Panics
///
/// If writing fails.
pub fn eprint(text: &str) {
    __eprint(format_args!("{text}"));
}

/// Prints to standard output: `std::print!`, on every target.
///
/// # Panics
///
/// If writing fails.
#[macro_export]
macro_rules! print {
    ($($arg:tt)*) => { $crate::process::__print(::core::format_args!($($arg)*)) };
}

/// Prints a line to standard output: `std::println!`, on every target.
///
/// # Panics
///
/// If writing fails.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($arg:tt)*) => { $crate::print!("{}\n", ::core::format_args!($($arg)*)) };
}

/// Prints to standard error: `std::eprint!`, on every target.
///
/// # Panics
///
/// If writing fails.
#[macro_export]
macro_rules! eprint {
    ($($arg:tt)*) => { $crate::process::__eprint(::core::format_args!($($arg)*)) };
}

/// Prints a line to standard error: `std::eprintln!`, on every target.
///
/// # Panics
///
/// If writing fails.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::eprint!("\n") };
    ($($arg:tt)*) => { $crate::eprint!("{}\n", ::core::format_args!($($arg)*)) };
}

/// Exports a guest's `main` as `_start`, the entry a thread host looks for first.
///
/// ```no_run
/// fn main() {
///     threadlink::println!("hello");
/// }
///
/// threadlink::main!(main);
/// ```
///
/// On `wasm32-unknown-unknown` with atomics `_start` also installs a panic hook, because std writes
/// the message of a panic nowhere on that target, and ends the run with the exit code of what `main`
/// returned (a [`Termination`](crate::process::Termination)). Everywhere else the macro expands
/// to nothing, and `main` is the ordinary one.
#[macro_export]
macro_rules! main {
    ($main:path) => {
        #[cfg(all(
            target_arch = "wasm32",
            target_os = "unknown",
            target_feature = "atomics"
        ))]
        #[unsafe(no_mangle)]
        pub extern "C" fn _start() {
            $crate::process::__start($main);
        }
    };
}
