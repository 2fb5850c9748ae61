//! What becomes of findings before they are shown: hidden, known from before, merged with those of other runs, or a reason to fail.

pub mod baseline;
pub mod merge;
pub mod policy;
pub mod suppress;
