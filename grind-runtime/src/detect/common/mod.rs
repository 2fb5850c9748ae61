//! What detectors share.

pub(crate) mod context;
pub(crate) mod detector;
pub mod diagnosis;
pub mod kind;
pub mod limits;
pub mod step;
