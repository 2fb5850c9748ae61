//! What the commands of `grind` do, one file each, and what only they need.

pub(crate) mod analyze;
pub(crate) mod baseline;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod guest;
pub(crate) mod manual;
pub(crate) mod many;
pub(crate) mod pace;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod timeline;
pub(crate) mod trace;
