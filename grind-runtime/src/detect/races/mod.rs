//! Data races.

pub(crate) mod benign;
pub(crate) mod candidates;
pub(crate) mod cell;
pub(crate) mod drain;
pub(crate) mod happens_before;
pub(crate) mod history;
pub(crate) mod second_pass;
pub(crate) mod shadow;
pub(crate) mod wide;
