//! Which event is before which.

pub(crate) mod clock;
pub(crate) mod fork_join;
pub(crate) mod order;
pub(crate) mod rounds;
