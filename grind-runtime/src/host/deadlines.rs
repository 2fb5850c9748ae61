//! Deadlines in virtual time: of hosts that wait, and of threads that are aborted when theirs passes.
//!
//! Whoever lets the guest run sets the machine's alarm to the earliest of all of them, so that a deadline counts whichever thread of the
//! host waits. What happens at one is an act of the driver, and in the log.

use super::handle::JoinError;
use super::runtime::ThreadRuntime;
use super::shared::{How, Shared, now};
use crate::machine::{ActError, HostIo, Machine};
use crate::model::ThreadId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

/// All that have not passed, in virtual nanoseconds. There are as many as threads of the host that wait, and as threads of the guest that
/// are alive, at most.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Of who waits, each with a number of its own.
    waits: BTreeSet<(u64, u64)>,
    numbers: u64,
    /// Of threads.
    aborts: BTreeSet<(u64, ThreadId)>,
    of_threads: BTreeMap<ThreadId, u64>,
}

impl Deadlines {
    fn abort_at(&mut self, thread: ThreadId, at: u64) {
        self.ended(thread);
        self.of_threads.insert(thread, at);
        self.aborts.insert((at, thread));
    }

    /// The thread has ended, and needs none.
    pub(super) fn ended(&mut self, thread: ThreadId) {
        if let Some(at) = self.of_threads.remove(&thread) {
            self.aborts.remove(&(at, thread));
        }
    }

    /// Aborts the threads whose deadline has passed, and lets the machine come back at the next.
    pub(super) fn apply(&mut self, machine: &mut Machine) {
        let now = machine.now();
        while let Some(&(at, thread)) = self.aborts.first()
            && at <= now
        {
            self.ended(thread);
            // It is refused where the thread has ended.
            let _ = machine.abort(thread);
        }
        // Who waits for one that has passed is about to come.
        let wait = self.waits.range((now.saturating_add(1), 0)..).next();
        let next = wait.map(|&(at, _)| at).into_iter();
        let next = next.chain(self.aborts.first().map(|&(at, _)| at)).min();
        machine.set_alarm(next);
    }
}

/// Somebody waits for a deadline, as long as this lives.
struct Waiting<'a> {
    shared: &'a Shared,
    of: (u64, u64),
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.deadlines().waits.remove(&self.of);
    }
}

impl Shared {
    pub(super) fn deadlines(&self) -> MutexGuard<'_, Deadlines> {
        let deadlines = self.deadlines.lock();
        deadlines.unwrap_or_else(PoisonError::into_inner)
    }

    /// Virtual nanoseconds since the run began.
    pub(super) fn now(&self) -> Result<u64, ActError> {
        self.act(|machine| Ok(machine.now()))
    }

    /// The point in virtual time so long from now.
    pub(super) fn after(&self, timeout: Duration) -> Result<u64, ActError> {
        Ok(self.now()?.saturating_add(nanoseconds(timeout)))
    }

    /// Lets the guest run until the machine says what is waited for, or virtual time has come to this point.
    pub(super) fn wait_until<R>(
        &self,
        at: u64,
        done: impl FnMut(&mut Machine) -> Option<R>,
    ) -> Result<Option<R>, JoinError> {
        now(self.wait_until_as(How::Blocking, at, done))
    }

    /// The same, either way.
    pub(super) async fn wait_until_as<R>(
        &self,
        how: How,
        at: u64,
        mut done: impl FnMut(&mut Machine) -> Option<R>,
    ) -> Result<Option<R>, JoinError> {
        let of = {
            let mut deadlines = self.deadlines();
            deadlines.numbers += 1;
            let of = (at, deadlines.numbers);
            deadlines.waits.insert(of);
            of
        };
        let _waiting = Waiting { shared: self, of };
        self.wait_as(how, |machine| match done(machine) {
            Some(result) => Some(Some(result)),
            None => (machine.now() >= at).then_some(None),
        })
        .await
    }

    /// Aborts a thread when so much virtual time has passed.
    pub(super) fn abort_after(&self, thread: ThreadId, timeout: Duration) -> Result<(), ActError> {
        self.act(|machine| {
            if machine.ended_as(thread).is_none() {
                let at = machine.now().saturating_add(nanoseconds(timeout));
                self.deadlines().abort_at(thread, at);
            }
            Ok(())
        })
    }
}

/// Of a duration. Those of more than 584 years are as long as that.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl<Io: HostIo> ThreadRuntime<Io> {
    /// Virtual time since the run began: it passes with the work of the guest, and where all threads wait.
    ///
    /// # Errors
    /// [`ActError::Over`] if the runtime was finished.
    pub fn now(&self) -> Result<Duration, ActError> {
        self.shared().now().map(Duration::from_nanos)
    }

    /// Lets the guest run until so much virtual time has passed. Where all threads wait, it passes at once.
    ///
    /// # Errors
    /// [`JoinError::Over`] if the run ends before, [`JoinError::Failed`].
    pub fn sleep(&self, time: Duration) -> Result<(), JoinError> {
        let until = self.shared().after(time).map_err(JoinError::refused)?;
        let nobody = self.shared().wait_until(until, |_| None::<()>);
        nobody.map(drop)
    }
}
