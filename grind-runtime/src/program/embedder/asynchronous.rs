//! Asynchronous functions of the embedder: each suspends the guest thread that calls it, and no other, until its future is ready.

use super::in_flight::{self, Begun, CallFuture, Caller, Came, Finish, InFlight, NO_EXECUTOR};
use super::{Guest, HostError, HostImport, HostParams, HostResult, Reply, ValType};
use std::sync::Arc;
use threadlink::abi::{self, CompletedCall};

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
        P: HostParams + 'static,
        R: HostResult + Send + 'static,
        F: Future<Output = Result<R, HostError>> + Send + 'static,
    {
        waiting::<P, R>(module, name, with_result(function))
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
        P: HostParams + 'static,
        R: HostResult,
        T: FnOnce(&mut Guest<'_>) -> Result<R, HostError> + Send + 'static,
        F: Future<Output = Result<T, HostError>> + Send + 'static,
    {
        waiting::<P, R>(module, name, with_then(function))
    }
}

/// What begins a call: reads the guest's memory, and makes the future.
pub(crate) type Begin<P> =
    Arc<dyn Fn(&mut Guest<'_>, P) -> Result<CallFuture, HostError> + Send + Sync>;

/// Of a function whose future has the result.
pub(crate) fn with_result<P, R, F>(
    function: impl Fn(&mut Guest<'_>, P) -> Result<F, HostError> + Send + Sync + 'static,
) -> Begin<P>
where
    R: HostResult + Send + 'static,
    F: Future<Output = Result<R, HostError>> + Send + 'static,
{
    Arc::new(move |guest, args| {
        let future = function(guest, args)?;
        Ok(Box::pin(async move {
            let result = future.await?;
            Ok(Box::new(move |_: &mut Guest<'_>| Ok(result.reply())) as Finish)
        }))
    })
}

/// Of one whose future has what is done to the guest, and makes the result.
pub(crate) fn with_then<P, R, T, F>(
    function: impl Fn(&mut Guest<'_>, P) -> Result<F, HostError> + Send + Sync + 'static,
) -> Begin<P>
where
    R: HostResult,
    T: FnOnce(&mut Guest<'_>) -> Result<R, HostError> + Send + 'static,
    F: Future<Output = Result<T, HostError>> + Send + 'static,
{
    Arc::new(move |guest, args| {
        let future = function(guest, args)?;
        Ok(Box::pin(async move {
            let then = future.await?;
            let finish = move |guest: &mut Guest<'_>| then(guest).map(R::reply);
            Ok(Box::new(finish) as Finish)
        }))
    })
}

/// The calls of the run in which the guest called.
fn calls_of<'a>(guest: &Guest<'a>) -> Result<&'a Arc<InFlight>, HostError> {
    guest.calls.ok_or_else(|| HostError::new(NO_EXECUTOR))
}

/// The function for which the calling thread waits.
pub(crate) fn waiting<P: HostParams + 'static, R: HostResult>(
    module: impl Into<String>,
    name: impl Into<String>,
    begin: Begin<P>,
) -> HostImport {
    HostImport::new(module, name, P::types(), R::TYPE, move |guest, args| {
        let (thread, calls) = (guest.thread, calls_of(guest)?);
        let came = match guest.woken() {
            None => {
                let future = begin(guest, P::from_bits(args))?;
                match calls.begin(Caller::Waits(thread), future)? {
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
        match came?(guest)? {
            Reply::Block { .. } => Err(HostError::new("what a future comes to cannot block")),
            reply => Ok(reply),
        }
    })
}

impl HostImport {
    /// The function that a guest imports to begin a call of an asynchronous one and to go on: `[async]` and the name, with one more parameter
    /// (`threadlink::host` has the guest's side).
    pub(crate) fn beginning<P: HostParams + 'static>(
        module: &str,
        name: &str,
        begin: Begin<P>,
    ) -> HostImport {
        let name = format!("{}{name}", abi::ASYNC);
        let params = P::types().into_iter().chain([ValType::I32]);
        HostImport::new(module, name, params, None, move |guest, args| {
            let (thread, calls) = (guest.thread, calls_of(guest)?);
            let (call, args) = args
                .split_last()
                .map_or((0, args), |(&last, args)| (last as u32, args));
            let future = begin(guest, P::from_bits(args))?;
            if let Begun::Ready(came) = calls.begin(Caller::GoesOn(thread, call), future)? {
                calls.completed(thread, call, came);
            }
            Ok(Reply::Return(0))
        })
    }

    /// The functions by which a guest takes what came of such calls, gives them up, and says what its own came to.
    pub(crate) fn of_calls() -> [HostImport; 3] {
        let completed =
            HostImport::wrap(abi::MODULE, abi::COMPLETED_CALL, |guest, (out,): (u32,)| {
                let calls = guest.calls;
                let Some((call, came)) = calls.and_then(|calls| calls.take_completed(guest.thread))
                else {
                    return Ok(0);
                };
                let completed = completed(guest, call, came);
                guest.write(out, &completed.to_bytes())?;
                Ok(1)
            });
        let resolve = HostImport::wrap(
            abi::MODULE,
            abi::RESOLVE_CALL,
            |guest, (call, bits): (u32, u64)| {
                if let Some(calls) = guest.calls {
                    calls.resolve(call, bits);
                }
                Ok(())
            },
        );
        let cancel = HostImport::wrap(abi::MODULE, abi::CANCEL_CALL, |guest, (call,): (u32,)| {
            if let Some(calls) = guest.calls {
                calls.give_up(guest.thread, call);
            }
            Ok(())
        });
        [completed, resolve, cancel]
    }
}

/// What came of a call, as the guest takes it.
fn completed(guest: &mut Guest<'_>, call: u32, came: Came) -> CompletedCall {
    let finished = came.and_then(|finish| match finish(guest)? {
        Reply::Return(bits) | Reply::Yield(bits) => Ok(bits),
        Reply::Block { .. } | Reply::EndThread | Reply::Exit(_) => {
            Err(HostError::new("no thread waits for it that could do this"))
        }
    });
    let mut completed = CompletedCall {
        call,
        ..CompletedCall::new()
    };
    match finished {
        Ok(bits) => completed.bits = bits,
        Err(error) => {
            let why = error.to_string();
            let len = why.floor_char_boundary(CompletedCall::MESSAGE);
            completed.why[..len].copy_from_slice(&why.as_bytes()[..len]);
            completed.failed = len as u32 + 1;
        }
    }
    completed
}
