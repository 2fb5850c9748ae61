//! Asynchronous functions across the border: those of the host as futures, and a guest's own for a host that awaits them.
//!
//! The host registers a function once (`Linker::func_async` of `grind-runtime`), and a guest imports it in one of two ways. By its own name
//! it blocks the thread that calls. By its name with `[async]` in front it takes a [`Call`] as one more, the last, parameter, returns nothing, and
//! begins; [`call_async`] makes a future of that. `docs/abi.md` in the repository has the protocol.
//!
//! ```no_run
//! use threadlink::host::{self, Call};
//! use threadlink::task;
//!
//! # #[cfg(target_family = "wasm")]
//! #[link(wasm_import_module = "env")]
//! unsafe extern "C" {
//!     #[link_name = "[async]fetch"]
//!     safe fn fetch(page: u32, call: Call);
//! }
//! # #[cfg(not(target_family = "wasm"))]
//! # fn fetch(_: u32, _: Call) {}
//!
//! async fn both() -> Result<u32, host::CallError> {
//!     let one = host::call_async::<u32>(|call| fetch(1, call))?;
//!     let two = host::call_async::<u32>(|call| fetch(2, call))?;
//!     Ok(one.await? + two.await?)
//! }
//!
//! // The host awaits this one. It is exported by `#[unsafe(no_mangle)]`.
//! extern "C" fn sum(call: Call) {
//!     host::resolve(call, async { both().await.unwrap_or(0) });
//! }
//!
//! fn main() {
//!     task::run_async_main(both()).expect("nothing else runs");
//! }
//!
//! threadlink::main!(main);
//! threadlink::export_poll!();
//! ```
//!
//! Natively there is no such host: a call is [`CallError::NoHost`].

use core::cell::RefCell;
use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::collections::BTreeMap;

use crate::abi::CompletedCall;
use crate::task::{self, oneshot};

/// A call in flight, by the number that its caller gave it. It crosses the border as an `i32`.
#[derive(Debug)]
#[repr(transparent)]
pub struct Call(u32);

/// Why a call of the host has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// It failed, in the host's words: what fits into [`CompletedCall`] of them.
    Failed(String),
    /// Nobody calls in with what came of it: the tasks of the thread are run by [`task::block_on`], or the program runs natively.
    NoHost,
    /// The thread is ending.
    ThreadEnded,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Failed(why) => write!(f, "the call of the host failed: {why}"),
            CallError::NoHost => f.write_str("no host calls in to complete a call of it"),
            CallError::ThreadEnded => f.write_str("the thread is ending"),
        }
    }
}

impl core::error::Error for CallError {}

/// A number that crosses the border as 64 bits.
pub trait Bits: sealed::Bits {}

mod sealed {
    pub trait Bits {
        fn from_bits(bits: u64) -> Self;
        fn into_bits(self) -> u64;
    }
}

macro_rules! bits {
    ($($type:ty, |$bits:ident| $from:expr, |$value:ident| $into:expr;)*) => {$(
        impl Bits for $type {}

        impl sealed::Bits for $type {
            fn from_bits($bits: u64) -> Self {
                $from
            }

            fn into_bits(self) -> u64 {
                let $value = self;
                $into
            }
        }
    )*};
}

bits! {
    (), |_bits| (), |_value| 0;
    u32, |bits| bits as u32, |value| u64::from(value);
    i32, |bits| (bits as u32).cast_signed(), |value| u64::from(value.cast_unsigned());
    u64, |bits| bits, |value| value;
    i64, |bits| bits.cast_signed(), |value| value.cast_unsigned();
    f32, |bits| f32::from_bits(bits as u32), |value| u64::from(value.to_bits());
    f64, |bits| f64::from_bits(bits), |value| value.to_bits();
}

type Came = Result<u64, CallError>;

/// The calls of a thread.
struct Calls {
    last: u32,
    waiting: BTreeMap<u32, oneshot::Sender<Came>>,
}

std::thread_local! {
    static CALLS: RefCell<Calls> = const {
        RefCell::new(Calls { last: 0, waiting: BTreeMap::new() })
    };
}

/// Begins a call of the host: `begin` is given its number, and calls the import. The future is ready when the host has come back with
/// the result, as a task of the thread that began.
///
/// What the host wrote to memory for the call is there then. A future that is dropped before ends the call: the host drops its own, and
/// writes nothing any more.
///
/// # Errors
///
/// [`CallError::NoHost`] and [`CallError::ThreadEnded`]; `begin` was not called then.
pub fn call_async<R: Bits>(begin: impl FnOnce(Call)) -> Result<HostCall<R>, CallError> {
    if !imports::HOST || !task::host::calls_in(drain) {
        return Err(CallError::NoHost);
    }
    let (sender, receiver) = oneshot::channel();
    let number = CALLS.try_with(|calls| {
        let mut calls = calls.borrow_mut();
        // One of 2^32 that is not in use: they are not all.
        loop {
            calls.last = calls.last.wrapping_add(1);
            if !calls.waiting.contains_key(&calls.last) {
                break;
            }
        }
        let number = calls.last;
        calls.waiting.insert(number, sender);
        number
    });
    let number = number.map_err(|_| CallError::ThreadEnded)?;
    begin(Call(number));
    Ok(HostCall {
        number,
        receiver,
        result: PhantomData,
    })
}

/// The host has called in: takes what came of calls.
fn drain() {
    let mut completed = CompletedCall::new();
    while imports::completed_call(&mut completed) {
        let sender = CALLS.try_with(|calls| calls.borrow_mut().waiting.remove(&completed.call));
        if let Ok(Some(sender)) = sender {
            let came = match completed.message() {
                None => Ok(completed.bits),
                Some(why) => Err(CallError::Failed(String::from_utf8_lossy(why).into_owned())),
            };
            // Nobody may want it any more.
            drop(sender.send(came));
        }
    }
}

/// The future of what a call of the host comes to; made by [`call_async`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct HostCall<R> {
    number: u32,
    receiver: oneshot::Receiver<Came>,
    result: PhantomData<fn() -> R>,
}

impl<R: Bits> Future for HostCall<R> {
    type Output = Result<R, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver)
            .poll(context)
            .map(|came| match came {
                Ok(came) => came.map(R::from_bits),
                Err(oneshot::RecvError) => Err(CallError::ThreadEnded),
            })
    }
}

impl<R> Drop for HostCall<R> {
    fn drop(&mut self) {
        // A thread that ends takes its calls with it.
        let waits = CALLS.try_with(|calls| calls.borrow_mut().waiting.remove(&self.number));
        if let Ok(Some(_)) = waits {
            imports::cancel_call(self.number);
        }
    }
}

/// Runs a future as a task, and tells the host that awaits this call what it came to. Natively there is nobody to tell.
pub fn resolve<R: Bits + 'static>(call: Call, future: impl Future<Output = R> + 'static) {
    // The task runs on by itself.
    drop(task::spawn(async move {
        let bits = future.await.into_bits();
        imports::resolve_call(call.0, bits);
    }));
}

#[cfg(target_family = "wasm")]
mod imports {
    use crate::abi::CompletedCall;

    pub(super) const HOST: bool = true;

    mod host {
        use crate::abi::CompletedCall;

        #[link(wasm_import_module = "threadlink")]
        unsafe extern "C" {
            pub(super) fn completed_call(completed: *mut CompletedCall) -> i32;
            pub(super) safe fn resolve_call(call: u32, bits: u64);
            pub(super) safe fn cancel_call(call: u32);
        }
    }

    pub(super) fn cancel_call(call: u32) {
        host::cancel_call(call);
    }

    pub(super) fn resolve_call(call: u32, bits: u64) {
        host::resolve_call(call, bits);
    }

    /// Takes the next, if there is one.
    pub(super) fn completed_call(completed: &mut CompletedCall) -> bool {
        // SAFETY: the host writes a `CompletedCall` there, any bytes of which are one.
        unsafe { host::completed_call(completed) != 0 }
    }
}

#[cfg(not(target_family = "wasm"))]
mod imports {
    use crate::abi::CompletedCall;

    pub(super) const HOST: bool = false;

    pub(super) fn completed_call(_: &mut CompletedCall) -> bool {
        false
    }

    pub(super) fn resolve_call(_: u32, _: u64) {}

    pub(super) fn cancel_call(_: u32) {}
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    #[test]
    fn natively_there_is_no_host() {
        let call = call_async::<u32>(|_| unreachable!("there is nothing to call"));
        assert_eq!(call.map(|_| ()), Err(CallError::NoHost));
    }
}
