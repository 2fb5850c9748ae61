//! How a thread of the driver ended.

use super::run::Machine;
use super::thread::Status;
use super::{Trap, Value};
use crate::model::ThreadId;

/// What the last function of a thread returned, or why it did not.
pub type Joined = Result<Vec<Value>, ThreadError>;

/// Why a thread has no results.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ThreadError {
    /// It trapped.
    #[error("it trapped: {0}")]
    Trapped(Trap),
    /// Somebody ended it.
    #[error("it was aborted")]
    Aborted,
}

impl Machine {
    /// How many threads had ended before this one, if it has.
    #[must_use]
    pub fn ended_as(&self, thread: ThreadId) -> Option<u32> {
        self.engine.state().get(thread)?.ended_as
    }

    /// How a thread ended, if it has. Its results are given by [`Machine::join`].
    #[must_use]
    pub fn end_of(&self, thread: ThreadId) -> Option<Result<(), ThreadError>> {
        let state = self.engine.state();
        match state.get(thread)?.status {
            Status::Aborted => Some(Err(ThreadError::Aborted)),
            Status::Trapped => {
                let mut traps = state.traps.iter();
                let of_thread = traps.find(|trap| trap.thread == thread);
                let report = of_thread.expect("each trap has a report");
                Some(Err(ThreadError::Trapped(report.trap.clone())))
            }
            Status::Returned => Some(Ok(())),
            Status::Ready(_) | Status::Running | Status::Blocked { .. } => None,
        }
    }

    /// How a thread ended that has. Its results are given once.
    pub(super) fn outcome(&mut self, thread: ThreadId) -> Joined {
        let end = self.end_of(thread).unwrap_or(Ok(()));
        end.map(|()| self.take_results(thread))
    }
}
