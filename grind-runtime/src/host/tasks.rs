//! Tasks of a guest (`threadlink::task`), which go on when the host calls in.

use super::handle::JoinError;
use super::instance::{CallError, Instance};
use super::shared::{How, Shared};
use crate::machine::Value;
use futures_util::FutureExt;
use std::future::Future;
use threadlink::abi::{POLL, Polled};

/// Why tasks of the guest do not go on.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PollError {
    /// The call did not return.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It returned something that is no answer: the export is not that of `threadlink`, or it was called from within a task.
    #[error("`{POLL}` returned {0:?}, which is no answer")]
    Answer(Vec<Value>),
    /// All tasks that are left are blocked, and no call in flight nor other thread of the guest will wake one.
    #[error("all tasks are blocked, and nothing is in flight that could wake one")]
    Blocked,
    /// No task is left, and the function that was called did not say what it came to.
    #[error("`{0}` has not said what it came to, and no task is left that could")]
    Unresolved(String),
}

impl Instance {
    /// Lets the tasks of the guest go on ([`threadlink_poll`](POLL)) until all that are left are blocked, or none is left. The module's entry is
    /// to have been called in this instance before.
    ///
    /// # Errors
    /// [`PollError`]
    pub fn poll_guest(&self) -> Result<Polled, PollError> {
        now(self.poll_as(How::Blocking))
    }

    /// The same for who awaits it.
    ///
    /// # Errors
    /// [`PollError`]
    pub async fn poll_guest_async(&self) -> Result<Polled, PollError> {
        self.poll_as(How::Awaiting).await
    }

    /// Polls the tasks of the guest until none is left: whenever a call of the host that they wait for is done
    /// (`threadlink::host::call_async`), or another thread of the guest may have woken one.
    ///
    /// # Errors
    /// [`PollError`]
    pub fn run_tasks(&self) -> Result<(), PollError> {
        now(self.run_as(How::Blocking, || None::<()>)).map(drop)
    }

    /// The same for who awaits it.
    ///
    /// # Errors
    /// [`PollError`]
    pub async fn run_tasks_async(&self) -> Result<(), PollError> {
        self.run_as(How::Awaiting, || None::<()>).await.map(drop)
    }

    /// Calls an asynchronous function of the guest: an export that takes these and the number of the call as its last parameter, an `i32`, and
    /// [resolves](https://docs.rs/threadlink/latest/threadlink/host/fn.resolve.html) that. Lets tasks go on until it has. Returns what it
    /// came to, as bits.
    ///
    /// # Errors
    /// [`PollError`]
    pub fn call_task(
        &self,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<u64, PollError> {
        now(self.call_task_as(How::Blocking, export, args))
    }

    /// The same for who awaits it.
    ///
    /// # Errors
    /// [`PollError`]
    pub async fn call_task_async(
        &self,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<u64, PollError> {
        self.call_task_as(How::Awaiting, export, args).await
    }

    async fn call_task_as(
        &self,
        how: How,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<u64, PollError> {
        let awaits = Awaits::new(self.shared());
        let number = Value::I32(awaits.call.cast_signed());
        self.call_as(how, export, args.into_iter().chain([number]))
            .await?;
        let resolved = || awaits.shared.in_flight().resolved(awaits.call);
        let resolved = self.run_as(how, resolved).await?;
        resolved.ok_or_else(|| PollError::Unresolved(export.to_owned()))
    }

    async fn poll_as(&self, how: How) -> Result<Polled, PollError> {
        let returned = self.call_as(how, POLL, []).await?;
        let code = match returned[..] {
            [Value::I32(code)] => Polled::from_code(code),
            _ => None,
        };
        match code {
            None | Some(Polled::Refused) => Err(PollError::Answer(returned)),
            Some(polled) => Ok(polled),
        }
    }

    /// Lets tasks go on until `done` says so, or none is left, which is `None`.
    async fn run_as<R>(
        &self,
        how: How,
        done: impl Fn() -> Option<R>,
    ) -> Result<Option<R>, PollError> {
        let (shared, thread) = (self.shared(), self.id());
        // Nobody could go on, and the tasks were polled once more since.
        let mut stuck = false;
        if let Some(result) = done() {
            return Ok(Some(result));
        }
        loop {
            let ended = shared.threads_ended();
            if self.poll_as(how).await? == Polled::Done {
                return Ok(done());
            }
            if let Some(result) = done() {
                return Ok(Some(result));
            }
            let news = |_: &mut _| {
                let news = shared.in_flight().has_completed(thread);
                (news || shared.threads_ended() != ended).then_some(())
            };
            match shared.wait_as(how, news).await {
                Ok(()) => stuck = false,
                // Another thread that still lives may have woken a task.
                Err(JoinError::Blocked) if !stuck => stuck = true,
                Err(JoinError::Blocked) => return Err(PollError::Blocked),
                Err(error) => return Err(CallError::from(error).into()),
            }
        }
    }
}

/// A call of an asynchronous function of the guest, which the host awaits as long as this lives.
struct Awaits<'a> {
    shared: &'a Shared,
    call: u32,
}

impl Awaits<'_> {
    fn new(shared: &Shared) -> Awaits<'_> {
        let call = shared.next_call();
        shared.in_flight().awaits(call);
        Awaits { shared, call }
    }
}

impl Drop for Awaits<'_> {
    fn drop(&mut self) {
        self.shared.in_flight().forget(self.call);
    }
}

/// What a future comes to that blocks and never awaits.
fn now<R>(future: impl Future<Output = R>) -> R {
    let ready = future.now_or_never();
    ready.expect("who waits by blocking never awaits")
}
