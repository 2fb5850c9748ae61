//! The log of a run: what the scheduler decided and the host answered, which is all that decides what happens in it. The
//! second pass of a run that raced replays it, so nothing has to be a function of its seed.

use super::input::{self, Inputs};
use crate::model::Decisions;
use crate::schedule::decisions;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub(super) struct RunLog {
    /// None if there are too many.
    pub(super) decisions: Option<Arc<Decisions>>,
    pub(super) answers: Inputs,
}

impl RunLog {
    /// What repeats the run, or what to say of it.
    pub(super) fn repeat(self) -> Result<(Arc<Decisions>, Inputs), String> {
        let (what, most) = match (self.answers.complete(), self.decisions) {
            (true, Some(decisions)) => return Ok((decisions, self.answers)),
            (false, _) => ("the host told the guest", input::KEPT),
            (true, None) => ("the decisions of the scheduler take", decisions::KEPT),
        };
        Err(format!(
            "{what} more than {} MiB, so that the run could not be repeated: earlier accesses are shown without their stacks",
            most >> 20
        ))
    }
}
