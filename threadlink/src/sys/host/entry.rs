//! Coming back into a module that has returned to its host: in the instance that it left, so there is nothing
//! to do.

/// Whether another thread can wake this one.
pub(crate) const CAN_BLOCK: bool = cfg!(not(all(
    target_family = "wasm",
    not(target_feature = "atomics")
)));

pub(crate) fn remember() {}

pub(crate) fn restore() {}
