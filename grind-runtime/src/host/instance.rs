//! An instance that the host makes calls in.

use super::handle::{JoinError, ended, joined};
use super::shared::{How, Shared, now};
use crate::machine::{ActError, Machine, Value};
use crate::model::ThreadId;
use std::fmt;
use std::sync::Arc;

/// An instance of the program with a thread of its own, in which the host calls exported functions one after the other, as a page does with
/// a module that it loaded: its globals and thread-locals stay from one call to the next. Other threads run while a call does.
///
/// Dropped, it is [closed](Instance::close), or aborted where it is if it is in a call.
pub struct Instance {
    shared: Arc<Shared>,
    thread: ThreadId,
}

/// Why a call of the host has no results.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// It was refused, and nothing has happened.
    #[error(transparent)]
    Refused(#[from] ActError),
    /// The thread has ended in it, or the run has.
    #[error(transparent)]
    Ended(#[from] JoinError),
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Instance").field(&self.thread).finish()
    }
}

impl Instance {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Instance, ActError> {
        let thread = shared.act(Machine::open)?;
        let shared = Arc::clone(shared);
        Ok(Instance { shared, thread })
    }

    /// Its thread.
    #[must_use]
    pub fn id(&self) -> ThreadId {
        self.thread
    }

    /// Calls an exported function with these values, and lets the guest run until it has returned. Returns what it returned. All that the
    /// host did before happens before the call, and that before what the host does next.
    ///
    /// If it is [blocked](JoinError::Blocked), the host can do something for it and [go on](Instance::resume).
    ///
    /// # Errors
    /// [`CallError::Refused`] by [`ActError::NoFunction`], [`ActError::Types`] or [`ActError::InCall`]; [`CallError::Ended`] if it trapped, was
    /// aborted, or the run has ended.
    pub fn call(
        &self,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Value>, CallError> {
        now(self.call_as(How::Blocking, export, args))
    }

    /// Begins a call, which goes on when somebody waits for something of the run.
    ///
    /// # Errors
    /// [`CallError::Refused`], by [`ActError::NoThread`] as well if the instance has ended.
    pub fn start(
        &self,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<(), CallError> {
        let args: Vec<Value> = args.into_iter().collect();
        self.shared
            .act(|machine| machine.ask(self.thread, export, &args))?;
        Ok(())
    }

    /// Lets the guest run until the call that was begun has returned.
    ///
    /// # Errors
    /// See [`Instance::call`].
    pub fn resume(&self) -> Result<Vec<Value>, CallError> {
        now(self.resume_as(How::Blocking))
    }

    /// [`Instance::call`] for who awaits it. If it is dropped before it is ready, the call goes on, and [`Instance::resume_async`] gets
    /// at its results.
    ///
    /// # Errors
    /// See [`Instance::call`].
    pub async fn call_async(
        &self,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Value>, CallError> {
        self.call_as(How::Awaiting, export, args).await
    }

    /// [`Instance::resume`] for who awaits it.
    ///
    /// # Errors
    /// See [`Instance::call`].
    pub async fn resume_async(&self) -> Result<Vec<Value>, CallError> {
        self.resume_as(How::Awaiting).await
    }

    /// [`Instance::call`] either way.
    pub(super) async fn call_as(
        &self,
        how: How,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Value>, CallError> {
        self.start(export, args)?;
        self.resume_as(how).await
    }

    async fn resume_as(&self, how: How) -> Result<Vec<Value>, CallError> {
        let returned = |machine: &mut Machine| self.returned(machine);
        self.shared.wait_as(how, returned).await?
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What came of the call that was begun, if something did.
    fn returned(&self, machine: &mut Machine) -> Option<Result<Vec<Value>, CallError>> {
        if ended(machine, self.thread) {
            let ended = joined(machine, self.thread);
            return Some(ended.map_err(CallError::Ended));
        }
        match machine.results_of_call(self.thread) {
            Ok(results) => results.map(Ok),
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// [`CallError::Refused`] by [`ActError::InCall`], [`CallError::Ended`] if it had trapped or was aborted.
    pub fn close(self) -> Result<(), CallError> {
        self.shared.act(|machine| {
            if ended(machine, self.thread) {
                return Ok(());
            }
            machine.close(self.thread)
        })?;
        let closed = self
            .shared
            .act(|machine| Ok(joined(machine, self.thread)))?;
        closed.map(drop).map_err(CallError::Ended)
    }

    /// Ends it where it is, as [`ThreadHandle::abort`](super::ThreadHandle::abort).
    pub fn abort(&self) {
        self.shared.abort(self.thread);
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if (self.shared.act(|machine| machine.close(self.thread))).is_err() {
            self.abort();
        }
    }
}
