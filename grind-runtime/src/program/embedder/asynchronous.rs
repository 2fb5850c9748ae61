//! Asynchronous functions of the embedder: each suspends the guest thread that calls it, and no other, until its future is ready.

use super::in_flight::{self, Begun, CallFuture, Finish, InFlight, NO_EXECUTOR};
use super::{Guest, HostError, HostImport, HostParams, HostResult, Reply};
use std::sync::Arc;

impl HostImport {
    /// A function like that of [`HostImport::wrap`] whose result comes from a future: `function` is called with the guest and the
    /// arguments, and reads what it needs of the guest's memory; the future that it returns has to do without.
    ///
    /// The future is polled once at the call, and if it is not ready then, it runs on the [executor](super::Executor) of the run. Other threads
    /// of the guest go on meanwhile, and virtual time passes as real time does where they wait for it. The future is dropped when the thread
    /// that called is aborted, and when the run ends. A panic in it traps the thread, with the message as the reason.
    ///
    /// ```
    /// use grind_runtime::program::embedder::HostImport;
    /// use std::future;
    ///
    /// let double = HostImport::wrap_async("env", "double", |_, (number,): (i32,)| {
    ///     Ok(async move { Ok(future::ready(number * 2).await) })
    /// });
    /// # let _ = double;
    /// ```
    pub fn wrap_async<P, R, F>(
        module: impl Into<String>,
        name: impl Into<String>,
        function: impl Fn(&mut Guest<'_>, P) -> Result<F, HostError> + Send + Sync + 'static,
    ) -> HostImport
    where
        P: HostParams,
        R: HostResult + Send + 'static,
        F: Future<Output = Result<R, HostError>> + Send + 'static,
    {
        of_futures::<P, R>(module, name, move |guest, args| {
            let future = function(guest, args)?;
            Ok(Box::pin(async move {
                let result = future.await?;
                Ok(Box::new(move |_: &mut Guest<'_>| Ok(result.reply())) as Finish)
            }))
        })
    }

    /// The same for a function that does something to the guest when its future is ready: this returns what does it, and returns the
    /// result.
    ///
    /// ```
    /// use grind_runtime::program::embedder::{Guest, HostImport};
    ///
    /// let read = HostImport::wrap_async_then("env", "read", |_, (buffer, len): (u32, u32)| {
    ///     Ok(async move {
    ///         let bytes = vec![7; len as usize];
    ///         Ok(move |guest: &mut Guest<'_>| {
    ///             guest.write(buffer, &bytes)?;
    ///             Ok(bytes.len() as u32)
    ///         })
    ///     })
    /// });
    /// # let _ = read;
    /// ```
    pub fn wrap_async_then<P, R, T, F>(
        module: impl Into<String>,
        name: impl Into<String>,
        function: impl Fn(&mut Guest<'_>, P) -> Result<F, HostError> + Send + Sync + 'static,
    ) -> HostImport
    where
        P: HostParams,
        R: HostResult,
        T: FnOnce(&mut Guest<'_>) -> Result<R, HostError> + Send + 'static,
        F: Future<Output = Result<T, HostError>> + Send + 'static,
    {
        of_futures::<P, R>(module, name, move |guest, args| {
            let future = function(guest, args)?;
            Ok(Box::pin(async move {
                let then = future.await?;
                let finish = move |guest: &mut Guest<'_>| then(guest).map(R::reply);
                Ok(Box::new(finish) as Finish)
            }))
        })
    }
}

fn of_futures<P: HostParams, R: HostResult>(
    module: impl Into<String>,
    name: impl Into<String>,
    begin: impl Fn(&mut Guest<'_>, P) -> Result<CallFuture, HostError> + Send + Sync + 'static,
) -> HostImport {
    HostImport::new(module, name, P::types(), R::TYPE, move |guest, args| {
        let (thread, calls) = guest.caller();
        let calls: Arc<InFlight> = calls.ok_or_else(|| HostError::new(NO_EXECUTOR))?;
        let came = match guest.woken() {
            None => {
                let future = begin(guest, P::from_bits(args))?;
                match calls.begin(thread, future) {
                    Begun::Ready(came) => came,
                    Begun::Pending => {
                        return Ok(Reply::Block {
                            key: in_flight::key(thread),
                            timeout: None,
                        });
                    }
                }
            }
            Some(_) => (calls.take(thread)).ok_or_else(|| HostError::new("nothing came of it"))?,
        };
        came?(guest)
    })
}
