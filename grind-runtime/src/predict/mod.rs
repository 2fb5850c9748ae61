//! Predictions: what other schedules of a recorded run would have shown.
//!
//! [`algorithms`] are published analyses over traces of synchronisation and accesses, whoever wrote these; they import nothing else
//! of the crate. [`translate`] makes such traces of grind's own, and findings and plans of what the analyses say.

pub mod algorithms;
pub mod translate;

pub use algorithms::*;
