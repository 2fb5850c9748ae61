//! What an embedder adds to a run: functions for the guest, besides those of grind, and the calls that the main thread
//! makes, where they are more than an entry ([`Driver`]).
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use grind_runtime::session::{RunOptions, self};
//! use grind_runtime::machine::NullIo;
//! use grind_runtime::program::embedder::HostImport;
//! use grind_runtime::program::{Program, ProgramOptions};
//!
//! let answer = HostImport::wrap("env", "answer", |_, ()| Ok(42));
//! let wasm = wat::parse_str(
//!     r#"(module (import "env" "answer" (func $answer (result i32)))
//!         (func (export "main") (result i32) (call $answer)))"#,
//! )?;
//! let options = ProgramOptions::default().imports(vec![answer]);
//! let program = Program::with_options(&wasm, options)?;
//! let outcome = session::run(&program, RunOptions::default(), NullIo)?;
//! assert_eq!(outcome.exit_code(), 42);
//! # Ok(())
//! # }
//! ```

pub(crate) mod asynchronous;
mod in_flight;
mod roles;

pub(crate) use in_flight::InFlight;
pub use in_flight::{Executor, Task};
pub use roles::{Role, RoleTypes};

use super::{Import, ModuleInfo, WasmType};
use crate::model::ThreadId;
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// A type of numbers, which is what functions of the host take and return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValType {
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `f32`
    F32,
    /// `f64`
    F64,
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValType::I32 => "i32",
            ValType::I64 => "i64",
            ValType::F32 => "f32",
            ValType::F64 => "f64",
        })
    }
}

impl ValType {
    /// The type of numbers that this is, if it is one.
    pub(crate) fn of(ty: WasmType) -> Option<ValType> {
        Some(match ty {
            WasmType::I32 => ValType::I32,
            WasmType::I64 => ValType::I64,
            WasmType::F32 => ValType::F32,
            WasmType::F64 => ValType::F64,
            WasmType::V128 | WasmType::Ref(_) => return None,
        })
    }
}

/// What such a function does; see [`HostImport::new`].
type Function = dyn Fn(&mut Guest<'_>, &[u64]) -> Result<Reply<u64>, HostError> + Send + Sync;

/// A function that the embedder provides.
#[derive(Clone)]
pub struct HostImport {
    pub(crate) module: String,
    pub(crate) name: String,
    pub(crate) params: Vec<ValType>,
    pub(crate) result: Option<ValType>,
    function: Arc<Function>,
}

/// Keys of [`Reply::Block`] from here on are grind's own.
pub(crate) const RESERVED_KEYS: u64 = 1 << 63;

/// How the calling thread goes on. Besides this, a function can fail: then the thread traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<R = ()> {
    /// With this result.
    Return(R),
    /// With this result, after others may have run.
    Yield(R),
    /// Not now: it waits until somebody [wakes](Guest::wake) those that wait for this key, or until so much virtual time has passed.
    /// Then the function is called again, with the same arguments, and [`Guest::woken`] says why. Threads that wait for different keys
    /// do not notice each other.
    Block {
        /// A number of the embedder's choice, less than 2<sup>63</sup>: the others are grind's own.
        key: u64,
        /// At the longest.
        timeout: Option<Duration>,
    },
    /// Not at all: it has ended as if its entry had returned.
    EndThread,
    /// Not at all, nor does any other thread: the guest exits with this code.
    Exit(i32),
}

/// Why a function is called again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Somebody woke the thread.
    Woken,
    /// The time-out of its [`Reply::Block`] passed.
    DeadlinePassed,
}

/// Why a function of the embedder failed. The calling thread traps with this as the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostError(String);

impl HostError {
    /// A failure, in words for whoever reads the report.
    pub fn new(why: impl Into<String>) -> HostError {
        HostError(why.into())
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Calls such a function. A panic is an error as well.
fn caught<T>(call: impl FnOnce() -> Result<T, HostError>) -> Result<T, HostError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| Err(panicked(&*payload)))
}

/// What a panic of such a function says.
fn panicked(payload: &(dyn Any + Send)) -> HostError {
    let message = (payload.downcast_ref::<&str>().copied())
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    HostError::new(match message {
        Some(message) => format!("a function of the host panicked: {message}"),
        None => "a function of the host panicked".to_owned(),
    })
}

/// Any error is one, in its own words; so that `?` can be used.
impl<E: std::error::Error> From<E> for HostError {
    fn from(error: E) -> HostError {
        HostError(error.to_string())
    }
}

/// A number that can be passed between the guest and a function of the embedder.
pub trait HostNumber: Copy {
    /// Its type in wasm.
    const TYPE: ValType;

    /// From its bits.
    fn from_bits(bits: u64) -> Self;

    /// Its bits.
    fn bits(self) -> u64;
}

/// What a function of the embedder can take: a tuple of up to eight numbers.
pub trait HostParams: Sized {
    /// Their types.
    fn types() -> Vec<ValType>;

    /// From their bits.
    fn from_bits(bits: &[u64]) -> Self;
}

/// What a function of the embedder can return: nothing, a number, or a [`Reply`] with one of these.
pub trait HostResult {
    /// Its type, if it is something.
    const TYPE: Option<ValType>;

    /// As bits.
    fn reply(self) -> Reply<u64>;
}

impl HostResult for () {
    const TYPE: Option<ValType> = None;

    fn reply(self) -> Reply<u64> {
        Reply::Return(0)
    }
}

impl<R: HostResult> HostResult for Reply<R> {
    const TYPE: Option<ValType> = R::TYPE;

    fn reply(self) -> Reply<u64> {
        match self {
            Reply::Return(value) => value.reply(),
            Reply::Yield(value) => match value.reply() {
                Reply::Return(bits) => Reply::Yield(bits),
                other => other,
            },
            Reply::Block { key, timeout } => Reply::Block { key, timeout },
            Reply::EndThread => Reply::EndThread,
            Reply::Exit(code) => Reply::Exit(code),
        }
    }
}

macro_rules! numbers {
    ($($number:ty: $ty:ident, |$bits:ident| $from:expr, |$value:ident| $to:expr;)*) => {$(
        impl HostNumber for $number {
            const TYPE: ValType = ValType::$ty;

            fn from_bits($bits: u64) -> Self {
                $from
            }

            fn bits(self) -> u64 {
                let $value = self;
                $to
            }
        }

        impl HostResult for $number {
            const TYPE: Option<ValType> = Some(ValType::$ty);

            fn reply(self) -> Reply<u64> {
                Reply::Return(self.bits())
            }
        }
    )*};
}

numbers! {
    i32: I32, |bits| (bits as u32).cast_signed(), |value| u64::from(value.cast_unsigned());
    u32: I32, |bits| bits as u32, |value| u64::from(value);
    i64: I64, |bits| bits.cast_signed(), |value| value.cast_unsigned();
    u64: I64, |bits| bits, |value| value;
    f32: F32, |bits| f32::from_bits(bits as u32), |value| u64::from(value.to_bits());
    f64: F64, |bits| f64::from_bits(bits), |value| value.to_bits();
}

macro_rules! params {
    ($($($name:ident $index:literal)*;)*) => {$(
        impl<$($name: HostNumber),*> HostParams for ($($name,)*) {
            fn types() -> Vec<ValType> {
                vec![$($name::TYPE),*]
            }

            fn from_bits(bits: &[u64]) -> Self {
                ($($name::from_bits(bits.get($index).copied().unwrap_or(0)),)*)
            }
        }
    )*};
}

impl HostParams for () {
    fn types() -> Vec<ValType> {
        Vec::new()
    }

    fn from_bits(_: &[u64]) -> Self {}
}

params! {
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
}

impl HostImport {
    /// A function that guests import as `name` of `module`. It comes before grind's own of that name. Its type is that of the closure,
    /// which gets the arguments as a tuple.
    ///
    /// What it does to the guest goes through [`Guest`]; what it does elsewhere happens once, even if the run is repeated to learn more
    /// about a race, because its effects on the guest are recorded.
    ///
    /// ```
    /// use grind_runtime::program::embedder::{HostError, HostImport, Reply, Wake};
    ///
    /// let add = HostImport::wrap("env", "add", |_, (a, b): (i32, i32)| {
    ///     a.checked_add(b).ok_or_else(|| HostError::new("too much"))
    /// });
    /// // Waits for `post` of the same number.
    /// let wait = HostImport::wrap("env", "wait", |guest, (number,): (u32,)| {
    ///     Ok(match guest.woken() {
    ///         None => Reply::Block { key: number.into(), timeout: None },
    ///         Some(Wake::Woken | Wake::DeadlinePassed) => Reply::Return(()),
    ///     })
    /// });
    /// let post = HostImport::wrap("env", "post", |guest, (number,): (u32,)| {
    ///     guest.wake(number.into(), 1);
    ///     Ok(())
    /// });
    /// # let _ = (add, wait, post);
    /// ```
    pub fn wrap<P: HostParams, R: HostResult>(
        module: impl Into<String>,
        name: impl Into<String>,
        function: impl Fn(&mut Guest<'_>, P) -> Result<R, HostError> + Send + Sync + 'static,
    ) -> HostImport {
        HostImport::new(module, name, P::types(), R::TYPE, move |guest, args| {
            function(guest, P::from_bits(args)).map(R::reply)
        })
    }

    /// The same for a type that is known when the program runs: the arguments are bits (an `i32` in the low half; types are those of
    /// `params`), and so is the result, 0 if there is none.
    pub fn new(
        module: impl Into<String>,
        name: impl Into<String>,
        params: impl IntoIterator<Item = ValType>,
        result: Option<ValType>,
        function: impl Fn(&mut Guest<'_>, &[u64]) -> Result<Reply<u64>, HostError>
        + Send
        + Sync
        + 'static,
    ) -> HostImport {
        HostImport {
            module: module.into(),
            name: name.into(),
            params: params.into_iter().collect(),
            result,
            function: Arc::new(function),
        }
    }

    /// The same with the type that a module declares for one of its imports; `None` if that is no function, or one of vectors or
    /// references.
    pub fn as_declared(
        info: &ModuleInfo,
        import: &Import,
        function: impl Fn(&mut Guest<'_>, &[u64]) -> Result<Reply<u64>, HostError>
        + Send
        + Sync
        + 'static,
    ) -> Option<HostImport> {
        let ty = info.type_of_import(import)?;
        let numbers = |types: &[WasmType]| -> Option<Vec<ValType>> {
            types.iter().copied().map(ValType::of).collect()
        };
        let (params, results) = (numbers(ty.params())?, numbers(ty.results())?);
        if results.len() > 1 {
            return None;
        }
        let result = results.first().copied();
        Some(HostImport::new(
            &import.module,
            &import.name,
            params,
            result,
            function,
        ))
    }

    /// Whether it is for the same import.
    pub(crate) fn is_named_as(&self, other: &HostImport) -> bool {
        (&self.module, &self.name) == (&other.module, &other.name)
    }

    /// Calls it, again if `woken`. If it panics, the thread traps.
    pub(crate) fn call<'a>(
        &self,
        memory: &'a mut [u8],
        args: &[u64],
        woken: Option<Wake>,
        caller: (ThreadId, Role),
        calls: Option<&'a Arc<InFlight>>,
    ) -> Effects {
        let mut guest = Guest::new(memory, woken);
        (guest.thread, guest.role) = caller;
        guest.calls = calls;
        let reply = caught(|| (self.function)(&mut guest, args));
        let mut touched = guest.touched;
        let result = match reply {
            Ok(Reply::Return(value)) => Ok(value),
            Ok(Reply::Yield(value)) => {
                touched.push(Touch::Yield);
                Ok(value)
            }
            Ok(Reply::Block { key, timeout }) => {
                let timeout =
                    timeout.map(|timeout| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
                touched.push(Touch::Block { key, timeout });
                Ok(0)
            }
            Ok(Reply::EndThread) => {
                touched.push(Touch::EndThread);
                Ok(0)
            }
            Ok(Reply::Exit(code)) => {
                touched.push(Touch::Exit { code });
                Ok(0)
            }
            Err(HostError(why)) => Err(why),
        };
        Effects {
            touched,
            result,
            call: None,
        }
    }
}

/// A call of an exported function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    export: String,
    args: Vec<u64>,
}

impl Call {
    /// A call of the function that is exported under this name. Arguments are bits, as those of a [`HostImport`].
    pub fn new(export: impl Into<String>, args: impl IntoIterator<Item = u64>) -> Call {
        Call {
            export: export.into(),
            args: args.into_iter().collect(),
        }
    }

    pub(crate) fn export(&self) -> &str {
        &self.export
    }

    pub(crate) fn args(&self) -> &[u64] {
        &self.args
    }
}

/// What a driver does; see [`Driver::new`].
type Drive = dyn Fn(&mut Guest<'_>, &[u64]) -> Result<Option<Call>, HostError> + Send + Sync;

/// Decides what the main thread calls, in place of an entry: one exported function after the other, as the page around
/// a module of wasm-bindgen does.
#[derive(Clone)]
pub struct Driver(Arc<Drive>);

impl Driver {
    /// A driver that is asked for each call, with the results of all calls so far (0 for one that has none): their number
    /// is that of the step. Without a next call the main thread has returned. An error traps it.
    ///
    /// In between it may read and write the guest's memory and create threads. What it does is recorded, and a run that
    /// is repeated does not ask it.
    pub fn new(
        drive: impl Fn(&mut Guest<'_>, &[u64]) -> Result<Option<Call>, HostError>
        + Send
        + Sync
        + 'static,
    ) -> Driver {
        Driver(Arc::new(drive))
    }

    /// Asks for the next call.
    pub(crate) fn next(&self, memory: &mut [u8], results: &[u64]) -> Effects {
        let mut guest = Guest::new(memory, None);
        let next = caught(|| (self.0)(&mut guest, results));
        let (result, call) = match next {
            Ok(call) => (Ok(0), call),
            Err(HostError(why)) => (Err(why), None),
        };
        Effects {
            touched: guest.touched,
            result,
            call,
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}

impl fmt::Debug for HostImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}

/// The guest that called, as the function may touch it: every byte it reads or writes counts as accessed by the
/// calling thread.
#[derive(Debug)]
pub struct Guest<'a> {
    memory: &'a mut [u8],
    woken: Option<Wake>,
    touched: Vec<Touch>,
    thread: ThreadId,
    role: Role,
    /// The calls of the run that are in flight.
    calls: Option<&'a Arc<InFlight>>,
}

/// An address or length outside the guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address of the guest is outside its memory")]
pub struct OutOfBounds;

impl<'a> Guest<'a> {
    fn new(memory: &'a mut [u8], woken: Option<Wake>) -> Guest<'a> {
        Guest {
            memory,
            woken,
            touched: Vec::new(),
            thread: ThreadId(0),
            role: Role::Main,
            calls: None,
        }
    }

    /// What the thread that called is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Why the function is called again, if it is.
    #[must_use]
    pub fn woken(&self) -> Option<Wake> {
        self.woken
    }

    /// Lets threads go on that wait for this key ([`Reply::Block`]), `count` at most, those first that have waited longest. All that
    /// the calling thread did so far happens before all that they do from then on.
    pub fn wake(&mut self, key: u64, count: u32) {
        // Nobody waits for one of those in a function of the embedder.
        if key < RESERVED_KEYS {
            self.touched.push(Touch::Wake { key, count });
        }
    }

    /// `len` bytes from `addr`.
    ///
    /// # Errors
    /// [`OutOfBounds`] if they are not all in memory.
    pub fn read(&mut self, addr: u32, len: u32) -> Result<&[u8], OutOfBounds> {
        let start = addr as usize;
        let end = start.checked_add(len as usize).ok_or(OutOfBounds)?;
        let bytes = self.memory.get(start..end).ok_or(OutOfBounds)?;
        self.touched.push(Touch::Read { addr, len });
        Ok(bytes)
    }

    /// Writes `bytes` to `addr`.
    ///
    /// # Errors
    /// [`OutOfBounds`] if they do not all fit; nothing is written then.
    pub fn write(&mut self, addr: u32, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let start = addr as usize;
        let end = start.checked_add(bytes.len()).ok_or(OutOfBounds)?;
        let target = self.memory.get_mut(start..end).ok_or(OutOfBounds)?;
        target.copy_from_slice(bytes);
        self.touched.push(Touch::Write {
            addr,
            bytes: bytes.to_vec(),
        });
        Ok(())
    }

    /// Creates a thread of the guest, with an instance of its own. It calls the exported functions of these names one
    /// after the other, the last with these arguments: modules of wasm-bindgen have to be given `__wbindgen_start`, and
    /// then what the thread is for. What the calling thread did so far happens before all that the new one does.
    ///
    /// It begins when the function has returned. The caller traps if there are no such functions, if they take something
    /// else than these arguments, or if there are too many threads.
    pub fn spawn(
        &mut self,
        exports: impl IntoIterator<Item = impl Into<String>>,
        args: impl IntoIterator<Item = u32>,
    ) {
        self.touched.push(Touch::Spawn {
            exports: exports.into_iter().map(Into::into).collect(),
            args: args.into_iter().collect(),
        });
    }
}

/// Something that such a function did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Touch {
    Read {
        addr: u32,
        len: u32,
    },
    Write {
        addr: u32,
        bytes: Vec<u8>,
    },
    Spawn {
        exports: Vec<String>,
        args: Vec<u32>,
    },
    /// Wakes who waits.
    Wake {
        key: u64,
        count: u32,
    },
    /// The last: it goes on after others may have run.
    Yield,
    /// The last: the thread waits, and calls again.
    Block {
        key: u64,
        /// Virtual nanoseconds from now.
        timeout: Option<u64>,
    },
    /// The last: the thread has ended.
    EndThread,
    /// The last: the guest exits.
    Exit {
        code: i32,
    },
}

/// What a call of such a function did to the guest. Plain data, so that it can be recorded and done again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    pub(crate) touched: Vec<Touch>,
    pub(crate) result: Result<u64, String>,
    /// What a driver wants to be called.
    pub(crate) call: Option<Call>,
}

impl Effects {
    /// A call that traps.
    pub(crate) fn trap(why: &str) -> Effects {
        Effects {
            touched: Vec::new(),
            result: Err(why.to_owned()),
            call: None,
        }
    }

    /// Bytes that keeping it costs, about.
    pub(crate) fn cost(&self) -> usize {
        let touched = self.touched.iter().map(|touch| match touch {
            Touch::Write { bytes, .. } => bytes.len(),
            Touch::Spawn { exports, args } => {
                let names: usize = exports.iter().map(String::len).sum();
                names + size_of_val(exports.as_slice()) + size_of_val(args.as_slice())
            }
            _ => 0,
        });
        let call = (self.call.iter()).map(|call| call.export.len() + size_of_val(call.args()));
        touched.chain(call).sum::<usize>() + size_of_val(self.touched.as_slice())
    }
}
