//! The offline analyses: against known results, against exhaustive search, and the trace formats.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod examples;
mod formats;
mod oracle;
mod property;
mod support;
