//! A thread as the host sees it.

use super::shared::Shared;
use crate::machine::{ActError, Machine, MachineError, ThreadError, Value};
use crate::model::ThreadId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A guest thread that the host created. Dropped, it lets the thread run on, as that of `std` does.
pub struct ThreadHandle {
    shared: Arc<Shared>,
    thread: ThreadId,
}

/// Why there are no results of a thread.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Of what happened to the thread.
    #[error(transparent)]
    Thread(#[from] ThreadError),
    /// It was joined before, which gives its results once.
    #[error("{0} was joined before")]
    Joined(ThreadId),
    /// No thread can go on for ever, unless the host does something for it.
    #[error("all threads are blocked for ever")]
    Blocked,
    /// The run has ended before the thread did: the guest exited, or all of it trapped, or a limit was reached, or the runtime was dropped.
    #[error("the run is over")]
    Over,
    /// It was waited for by a function of the host which the guest called, and which the guest waits for.
    #[error("a function that the guest calls cannot wait for the guest")]
    Reentered,
    /// The run failed.
    #[error(transparent)]
    Failed(Arc<MachineError>),
}

impl fmt::Debug for ThreadHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThreadHandle").field(&self.thread).finish()
    }
}

impl ThreadHandle {
    pub(super) fn new(shared: Arc<Shared>, thread: ThreadId) -> ThreadHandle {
        ThreadHandle { shared, thread }
    }

    /// Which thread of the run it is.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.thread
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Lets the guest run until the thread has ended. Returns what its function returned. All that it did happens before what the host does
    /// from then on. If all threads are [blocked](JoinError::Blocked), the host can do something for them and join again.
    ///
    /// # Errors
    /// [`JoinError`]
    pub fn join(&self) -> Result<Vec<Value>, JoinError> {
        self.shared.wait(|machine| self.joined(machine))?
    }

    /// The same for who awaits it: it blocks no thread of the host, and lets the guest run whenever it is polled.
    ///
    /// # Errors
    /// [`JoinError`]
    pub async fn join_async(&self) -> Result<Vec<Value>, JoinError> {
        self.shared
            .wait_async(|machine| self.joined(machine))
            .await?
    }

    /// The same, for at most so much virtual time: returns `None` if it has passed before the thread has ended, which can be joined again
    /// then. Where all threads wait for something else than time, it passes at once.
    pub fn join_timeout(&self, timeout: Duration) -> Option<Result<Vec<Value>, JoinError>> {
        let at = match self.shared.after(timeout) {
            Ok(at) => at,
            Err(why) => return Some(Err(JoinError::refused(why))),
        };
        match self.shared.wait_until(at, |machine| self.joined(machine)) {
            Ok(joined) => joined,
            Err(error) => Some(Err(error)),
        }
    }

    /// The same if the thread has ended; lets the guest run for a slice if not.
    pub fn try_join(&self) -> Option<Result<Vec<Value>, JoinError>> {
        self.shared.poll(|machine| self.joined(machine))
    }

    /// What came of it, if it has ended.
    fn joined(&self, machine: &mut Machine) -> Option<Result<Vec<Value>, JoinError>> {
        ended(machine, self.thread).then(|| joined(machine, self.thread))
    }

    /// Whether the thread has ended. Lets the guest run for a slice if not, so that it has at some time.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let finished = self
            .shared
            .poll(|machine| ended(machine, self.thread).then_some(()));
        finished.is_some()
    }

    /// Lets the thread run on by itself.
    pub fn detach(self) {}

    /// Ends the thread where it is, whatever it does: in a loop, in a wait, in a sleep. Locks that it holds stay taken. A thread that has
    /// ended stays as it is.
    ///
    /// From another thread of the host than the one that lets the guest run, it takes effect at the next scheduling point, or when the thread
    /// that runs has used up its [fuel](crate::machine::FUEL_OF_DRIVEN): after a half of a millisecond or so. Only an instruction on a range of
    /// memory, or a function of the embedder, is waited for.
    pub fn abort(&self) {
        self.shared.abort(self.thread);
    }

    /// Ends the thread so, when so much virtual time from now has passed and it has not ended by itself; a later call takes the place of an
    /// earlier one. That the handle is dropped changes nothing. Like everything else, it happens while the host waits for something.
    ///
    /// # Errors
    /// [`ActError::Over`] if the runtime was finished or dropped.
    pub fn abort_after(&self, timeout: Duration) -> Result<(), ActError> {
        self.shared.abort_after(self.thread, timeout)
    }
}

impl JoinError {
    /// Why nobody waits for what an act was to bring about that the runtime refused.
    pub(super) fn refused(why: ActError) -> JoinError {
        match why {
            ActError::Reentered => JoinError::Reentered,
            _ => JoinError::Over,
        }
    }
}

pub(super) fn ended(machine: &Machine, thread: ThreadId) -> bool {
    machine.ended_as(thread).is_some()
}

/// The results of a thread that has ended.
pub(super) fn joined(machine: &mut Machine, thread: ThreadId) -> Result<Vec<Value>, JoinError> {
    match machine.join(thread) {
        Ok(joined) => Ok(joined?),
        Err(ActError::Over) => Err(JoinError::Over),
        Err(_) => Err(JoinError::Joined(thread)),
    }
}
