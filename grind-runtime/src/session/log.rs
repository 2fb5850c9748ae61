//! The log of a run: what the scheduler decided and the host answered, which is all that decides what happens in it. The
//! second pass of a run that raced replays it, so nothing has to be a function of its seed.

use super::input::{self, Inputs};
use crate::schedule::decisions::{self, Decisions};

/// See the module.
#[derive(Debug)]
pub(super) struct RunLog {
    pub(super) decisions: Decisions,
    pub(super) answers: Inputs,
}

impl RunLog {
    /// Whether the run can be repeated, or what to say of it.
    pub(super) fn repeatable(&self) -> Result<(), String> {
        let (what, most) = match (self.answers.complete(), self.decisions.complete()) {
            (true, true) => return Ok(()),
            (false, _) => ("the host told the guest", input::KEPT),
            (true, false) => ("the decisions of the scheduler take", decisions::KEPT),
        };
        Err(format!(
            "{what} more than {} MiB, so that the run could not be repeated: earlier accesses are shown without their stacks",
            most >> 20
        ))
    }
}
