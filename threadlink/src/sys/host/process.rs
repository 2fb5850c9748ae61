//! The process as std sees it.

use std::fmt::Arguments;

pub use std::env::Args;
pub use std::process::{Termination, exit};

pub(crate) fn args() -> Args {
    std::env::args()
}

pub(crate) fn var(name: &str) -> Result<String, std::env::VarError> {
    std::env::var(name)
}

#[doc(hidden)]
#[expect(
    clippy::print_stdout,
    reason = "printing is the purpose, and only the macro is captured by a test harness"
)]
pub fn __print(text: Arguments<'_>) {
    std::print!("{text}");
}

#[doc(hidden)]
#[expect(
    clippy::print_stderr,
    reason = "printing is the purpose, and only the macro is captured by a test harness"
)]
pub fn __eprint(text: Arguments<'_>) {
    std::eprint!("{text}");
}
