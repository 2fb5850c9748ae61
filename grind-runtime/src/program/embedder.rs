//! What an embedder adds to a run: functions for the guest, besides those of grind, and the calls that the main thread
//! makes, where they are more than an entry ([`Driver`]).
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use grind_runtime::session::{RunOptions, self};
//! use grind_runtime::machine::NullIo;
//! use grind_runtime::program::embedder::{HostImport, ValType};
//! use grind_runtime::program::{Program, ProgramOptions};
//!
//! let answer = HostImport::new("env", "answer", [], Some(ValType::I32), |_, _| Ok(42));
//! let wasm = wat::parse_str(
//!     r#"(module (import "env" "answer" (func $answer (result i32)))
//!         (func (export "main") (result i32) (call $answer)))"#,
//! )?;
//! let options = ProgramOptions { imports: vec![answer], ..ProgramOptions::default() };
//! let program = Program::with_options(&wasm, options)?;
//! let outcome = session::run(&program, RunOptions::default(), NullIo)?;
//! assert_eq!(outcome.exit_code(), 42);
//! # Ok(())
//! # }
//! ```

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

pub use wasmparser::ValType;

/// What such a function does; see [`HostImport::new`].
type Function = dyn Fn(&mut Guest<'_>, &[u64]) -> Result<u64, String> + Send + Sync;

/// A function that the embedder provides.
#[derive(Clone)]
pub struct HostImport {
    pub(crate) module: String,
    pub(crate) name: String,
    pub(crate) params: Vec<ValType>,
    pub(crate) result: Option<ValType>,
    function: Arc<Function>,
}

impl HostImport {
    /// A function that guests import as `name` of `module`. It comes before grind's own of that name.
    ///
    /// The function is given the arguments as bits (an `i32` in the low half; types are those of `params`), and
    /// returns the bits of the result, 0 if there is none. An error traps the calling thread. What it does to the guest
    /// goes through [`Guest`]; what it does elsewhere happens once, even if the run is repeated to learn more
    /// about a race, because its effects on the guest are recorded.
    ///
    /// # Panics
    /// If a parameter or the result is no number: vectors and references cannot be passed.
    pub fn new(
        module: impl Into<String>,
        name: impl Into<String>,
        params: impl IntoIterator<Item = ValType>,
        result: Option<ValType>,
        function: impl Fn(&mut Guest<'_>, &[u64]) -> Result<u64, String> + Send + Sync + 'static,
    ) -> HostImport {
        let params: Vec<ValType> = params.into_iter().collect();
        let number = |ty: &ValType| {
            use ValType::{F32, F64, I32, I64};
            matches!(ty, I32 | I64 | F32 | F64)
        };
        assert!(
            params.iter().chain(&result).all(number),
            "only numbers can be passed"
        );
        HostImport {
            module: module.into(),
            name: name.into(),
            params,
            result,
            function: Arc::new(function),
        }
    }

    /// Calls it.
    pub(crate) fn call(&self, memory: &mut [u8], args: &[u64]) -> Effects {
        let mut guest = Guest {
            memory,
            touched: Vec::new(),
        };
        let result = (self.function)(&mut guest, args);
        Effects {
            touched: guest.touched,
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
type Drive = dyn Fn(&mut Guest<'_>, &[u64]) -> Result<Option<Call>, String> + Send + Sync;

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
        drive: impl Fn(&mut Guest<'_>, &[u64]) -> Result<Option<Call>, String> + Send + Sync + 'static,
    ) -> Driver {
        Driver(Arc::new(drive))
    }

    /// Asks for the next call.
    pub(crate) fn next(&self, memory: &mut [u8], results: &[u64]) -> Effects {
        let mut guest = Guest {
            memory,
            touched: Vec::new(),
        };
        let next = (self.0)(&mut guest, results);
        let (result, call) = match next {
            Ok(call) => (Ok(0), call),
            Err(why) => (Err(why), None),
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
    touched: Vec<Touch>,
}

/// An address or length outside the guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an address of the guest is outside its memory")]
pub struct OutOfBounds;

impl From<OutOfBounds> for String {
    fn from(error: OutOfBounds) -> String {
        error.to_string()
    }
}

impl Guest<'_> {
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
            Touch::Read { .. } => 0,
            Touch::Write { bytes, .. } => bytes.len(),
            Touch::Spawn { exports, args } => {
                let names: usize = exports.iter().map(String::len).sum();
                names + size_of_val(exports.as_slice()) + size_of_val(args.as_slice())
            }
        });
        let call = (self.call.iter()).map(|call| call.export.len() + size_of_val(call.args()));
        touched.chain(call).sum::<usize>() + size_of_val(self.touched.as_slice())
    }
}
