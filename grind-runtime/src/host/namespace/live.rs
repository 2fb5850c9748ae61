//! A namespace whose exports the host calls.

use super::{Namespace, NamespaceError};
use crate::host::recorded;
use crate::host::{CallError, Instance, JoinError, Stdio, ThreadRuntime};
use crate::machine::{Machine, MachineError, Value, entry};
use crate::model::{Driven, Ending, Entry};
use crate::program::Program;
use crate::session::{Outcome, Recording};

/// What a module of WASI that is no command exports to be set up.
const INITIALIZE: &str = "_initialize";

/// A namespace that was [started](Namespace::start). Dropped, it ends its threads.
#[derive(Debug)]
pub struct LiveNamespace {
    // It is closed before the runtime is dropped.
    instance: Instance,
    runtime: ThreadRuntime<Stdio>,
    program: Program,
    entry: Entry,
    keep: bool,
}

impl Namespace {
    /// Makes an instance in which the host calls what is exported, one function after the other. The entry is not called; an exported
    /// `_initialize` is.
    ///
    /// The host is the main thread of the run (`T0`), and the instance the first thread of it. Threads that the guest creates run while
    /// somebody waits: for a call, or for anything else of the [runtime](LiveNamespace::runtime).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grind_runtime::Value;
    /// use grind_runtime::host::Namespace;
    ///
    /// let wasm = wat::parse_str(r#"(module
    ///     (global $calls (mut i32) (i32.const 0))
    ///     (func (export "count") (result i32)
    ///         (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    ///         (global.get $calls)))"#)?;
    /// let live = Namespace::from_bytes(wasm).start()?;
    /// assert_eq!(live.call("count", [])?, [Value::I32(1)]);
    /// assert_eq!(live.call("count", [])?, [Value::I32(2)]);
    /// assert!(live.finish()?.analysis.diagnoses.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`NamespaceError`]
    pub fn start(self) -> Result<LiveNamespace, NamespaceError> {
        let live = self.begin()?;
        if live.initializes() {
            live.call(INITIALIZE, [])?;
        }
        Ok(live)
    }

    /// The same for who awaits it.
    ///
    /// # Errors
    /// [`NamespaceError`]
    pub async fn start_async(self) -> Result<LiveNamespace, NamespaceError> {
        let live = self.begin()?;
        if live.initializes() {
            live.call_async(INITIALIZE, []).await?;
        }
        Ok(live)
    }

    fn begin(mut self) -> Result<LiveNamespace, NamespaceError> {
        let program = self.program()?;
        let mut options = self.options;
        let entry = options.spec.entry.clone();
        // The host is the main thread, and calls it.
        options.spec.entry = Entry::default().unfinished(entry.unfinished);
        let driven = Driven::AsMainThread;
        let trace = recorded::begin(&program, &options, driven, self.trace)?;
        let recording = trace.map(Recording::new);
        let runtime = ThreadRuntime::begin(&program, options, self.stdio, recording)?;
        Ok(LiveNamespace {
            instance: runtime.instance()?,
            runtime,
            program,
            entry,
            keep: self.keep,
        })
    }
}

impl LiveNamespace {
    fn initializes(&self) -> bool {
        self.program.info().exported_function(INITIALIZE).is_some()
    }

    /// Calls an exported function, and lets the guest run until it has returned. See [`Instance::call`].
    ///
    /// # Errors
    /// [`CallError`]
    pub fn call(
        &self,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Value>, CallError> {
        self.instance.call(export, args)
    }

    /// The same for who awaits it.
    ///
    /// # Errors
    /// [`CallError`]
    pub async fn call_async(
        &self,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Value>, CallError> {
        self.instance.call_async(export, args).await
    }

    /// Calls the [entry](Namespace::entry), and lets the guest run until it has returned. Returns the exit code: what the entry returned if that
    /// is an `i32`, what any thread gave to `proc_exit`, or 0.
    ///
    /// Unless the namespace is [kept](Namespace::keep), nothing can be called in it afterwards, and its threads run no more before
    /// it is finished. A guest that has exited cannot be kept.
    ///
    /// # Errors
    /// [`NamespaceError::Machine`] with [`MachineError::Entry`] if there is no such function, or if it takes arguments; [`NamespaceError::Call`]
    /// if it trapped, or if it is blocked for ever.
    pub fn call_entry(&self) -> Result<i32, NamespaceError> {
        let mut returned = Ok(Vec::new());
        for (export, args) in self.calls_of_entry()? {
            returned = self.call(&export, args);
            if returned.is_err() {
                break;
            }
        }
        self.entry_ended(returned)
    }

    /// The same for who awaits it.
    ///
    /// # Errors
    /// See [`LiveNamespace::call_entry`].
    pub async fn call_entry_async(&self) -> Result<i32, NamespaceError> {
        let mut returned = Ok(Vec::new());
        for (export, args) in self.calls_of_entry()? {
            returned = self.call_async(&export, args).await;
            if returned.is_err() {
                break;
            }
        }
        self.entry_ended(returned)
    }

    fn calls_of_entry(&self) -> Result<Vec<(String, Vec<Value>)>, MachineError> {
        let mut calls = entry::calls(&self.program, &self.entry)?;
        // It was called when the namespace was started.
        if calls.len() > 1 {
            calls.retain(|(export, _)| export != INITIALIZE);
        }
        Ok(calls)
    }

    fn entry_ended(&self, returned: Result<Vec<Value>, CallError>) -> Result<i32, NamespaceError> {
        let shared = self.runtime.shared();
        let code = match returned {
            Ok(results) => match results.first() {
                Some(&Value::I32(code)) => Ok(code),
                _ => Ok(0),
            },
            Err(CallError::Ended(JoinError::Over)) => {
                match shared.act(|machine| Ok(machine.ending().cloned())) {
                    Ok(Some(Ending::Exited(code))) => Ok(code),
                    _ => Err(CallError::Ended(JoinError::Over)),
                }
            }
            Err(error) => Err(error),
        };
        let blocked = matches!(code, Err(CallError::Ended(JoinError::Blocked)));
        if !self.keep && !blocked {
            // It is refused where the guest has ended the run by itself.
            let _ = shared.act(Machine::end);
        }
        Ok(code?)
    }

    /// The instance in which functions are called.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The runtime of its threads: its memory, threads of the host's own, time.
    ///
    /// A second [instance](ThreadRuntime::instance) of a module whose toolchain gives each thread a stack has the stack of the first one, as two
    /// threads have that the host creates by such exports: use it for modules that set up their stacks themselves.
    #[must_use]
    pub fn runtime(&self) -> &ThreadRuntime<Stdio> {
        &self.runtime
    }

    /// Ends the run. Threads that still run are treated as [`Unfinished`](crate::Unfinished) says. Returns what the run showed.
    ///
    /// # Errors
    /// [`MachineError`]
    pub fn finish(self) -> Result<Outcome<Stdio>, MachineError> {
        drop(self.instance);
        self.runtime.finish()
    }

    /// The same for who awaits it.
    ///
    /// # Errors
    /// [`MachineError`]
    pub async fn finish_async(self) -> Result<Outcome<Stdio>, MachineError> {
        drop(self.instance);
        self.runtime.finish_async().await
    }
}
