//! Small traces, and slow answers about them.

pub(crate) mod generate;
pub(crate) mod orders;
pub(crate) mod schedules;
