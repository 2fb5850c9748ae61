//! Generated event streams, and a naive detector to compare with.

pub(crate) mod naive;
pub(crate) mod streams;
