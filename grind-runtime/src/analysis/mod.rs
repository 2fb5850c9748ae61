//! What the events mean: clocks, shadow memory, one detector per file.
//!
//! Nothing here knows the machine: it eats events, and cannot tell a live run from a file.

pub mod diagnosis;

pub use diagnosis::*;
