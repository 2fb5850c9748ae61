//! What grind says and writes.

pub(crate) mod error;
pub(crate) mod quote;
pub(crate) mod say;
