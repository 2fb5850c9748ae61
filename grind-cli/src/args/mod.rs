//! Options that several commands share. A command's own are with the command.

pub(crate) mod argument;
pub(crate) mod bound;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod decisive;
pub(crate) mod guest;
pub(crate) mod limits;
pub(crate) mod policy;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod trace;
pub(crate) mod values;
