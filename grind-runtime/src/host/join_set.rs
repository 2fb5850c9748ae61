//! Threads that are waited for together, with tokio's names.

use super::handle::{JoinError, ThreadHandle, ended, joined};
use super::runtime::ThreadRuntime;
use super::shared::{How, now};
use crate::machine::{ActError, HostIo, Machine, Value};
use crate::model::ThreadId;
use std::sync::Arc;

/// Threads of one runtime, which come back in the order in which they end. Dropped, it aborts those that are left.
///
/// Of a set with threads of several runtimes, those of one come after the other.
#[derive(Debug, Default)]
pub struct JoinSet(Vec<ThreadHandle>);

/// What came of a thread, and which it is.
type Came = (ThreadId, Result<Vec<Value>, JoinError>);

impl JoinSet {
    /// Without threads.
    #[must_use]
    pub fn new() -> JoinSet {
        JoinSet::default()
    }

    /// Creates a thread, and adds it.
    ///
    /// # Errors
    /// See [`ThreadRuntime::spawn`].
    pub fn spawn<Io: HostIo>(
        &mut self,
        runtime: &ThreadRuntime<Io>,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<ThreadId, ActError> {
        let thread = runtime.spawn(export, args)?;
        let id = thread.id();
        self.insert(thread);
        Ok(id)
    }

    /// Adds a thread.
    pub fn insert(&mut self, thread: ThreadHandle) {
        self.0.push(thread);
    }

    /// How many were not given back.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether all were given back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets the guest run until one of the threads has ended. Returns the one that ended first, and `None` if there is none left.
    ///
    /// Where no thread ends any more, because the run is [over](JoinError::Over), [failed](JoinError::Failed) or [blocked](JoinError::Blocked),
    /// that is what came of each that is left, in the order in which they were added.
    pub fn join_next(&mut self) -> Option<Came> {
        now(self.next_as(How::Blocking))
    }

    /// The same for who awaits it. If it is dropped before it is ready, no thread is lost.
    pub async fn join_next_async(&mut self) -> Option<Came> {
        self.next_as(How::Awaiting).await
    }

    async fn next_as(&mut self, how: How) -> Option<Came> {
        let shared = Arc::clone(self.0.first()?.shared());
        let next = shared.wait_as(how, |machine| self.next_of(machine)).await;
        Some(next.unwrap_or_else(|error| (self.0.remove(0).id(), Err(error))))
    }

    /// The same if one has ended; lets the guest run for a slice if not, and returns `None`.
    pub fn try_join_next(&mut self) -> Option<Came> {
        let shared = Arc::clone(self.0.first()?.shared());
        shared.poll(|machine| self.next_of(machine))
    }

    /// Lets the guest run until all have ended. Returns what came of each, in the order in which they ended. An aborted thread is an
    /// error in it, never a panic.
    pub fn join_all(mut self) -> Vec<Came> {
        std::iter::from_fn(|| self.join_next()).collect()
    }

    /// Ends all of the threads. They are still to be joined.
    pub fn abort_all(&mut self) {
        self.0.iter().for_each(ThreadHandle::abort);
    }

    /// Lets all of the threads run on by themselves.
    pub fn detach_all(&mut self) {
        self.0.clear();
    }

    fn next_of(&mut self, machine: &mut Machine) -> Option<Came> {
        let at = self.ended_first(machine)?;
        let thread = self.0.remove(at).id();
        Some((thread, joined(machine, thread)))
    }

    /// Where the thread is that ended first.
    fn ended_first(&self, machine: &Machine) -> Option<usize> {
        let of_it = self.0.first()?.shared();
        (self.0.iter().enumerate())
            .filter(|(_, one)| Arc::ptr_eq(one.shared(), of_it) && ended(machine, one.id()))
            .min_by_key(|(_, one)| machine.ended_as(one.id()))
            .map(|(at, _)| at)
    }
}

impl Drop for JoinSet {
    fn drop(&mut self) {
        self.abort_all();
    }
}
