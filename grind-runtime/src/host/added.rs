//! Runtimes over a memory, to which modules are added as the host goes on.
//!
//! A module is linked to those before it, the result takes the place of the program in the run ([`Machine::extend`]), and threads that are
//! created from then on have instances of it. What that costs: all modules are lowered and translated again for each new one, and once more
//! for the second pass of a run that raced. Threads of a module that is there already cost what threads of any program do.

use super::runtime::ThreadRuntime;
use super::{LinkError, ThreadHandle};
use crate::machine::{ActError, HostIo, Machine, MachineError, NullIo, Value};
use crate::program::{Modules, Program, ProgramOptions};
use crate::session::RunOptions;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Modules of one runtime: each is lowered again with the next.
const MODULES: usize = 256;

/// Why no thread of a module was created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// It is no module for this runtime.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It was refused.
    #[error(transparent)]
    Refused(#[from] ActError),
    /// The runtime has the modules that it began with.
    #[error(
        "no module can be added to a runtime of one program; begin with `ThreadRuntime::with_memory`"
    )]
    OneProgram,
    /// There are as many modules as there can be.
    #[error(
        "a runtime has at most {MODULES} modules, of which each is lowered again with the next"
    )]
    TooMany,
    /// Text that is no module.
    #[cfg(feature = "wat")]
    #[error(transparent)]
    Text(#[from] wat::Error),
}

impl ThreadRuntime<NullIo> {
    /// A memory of so many pages of 64 KiB, and no module yet: each thread is of a module that is given when it is created. The guest has no
    /// streams, and the memory does not grow; see [`ThreadRuntime::with_memory`] for more.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grind_runtime::Value;
    /// use grind_runtime::host::ThreadRuntime;
    ///
    /// let add = r#"(module (import "env" "mem" (memory 1 1 shared))
    ///     (func (export "run") (param i32)
    ///         (drop (i32.atomic.rmw.add (i32.const 64) (local.get 0)))))"#;
    /// let runtime = ThreadRuntime::new(1)?;
    /// let handles = [40, 2].map(|n| runtime.spawn_wat(add, "run", [Value::I32(n)]));
    /// for handle in handles {
    ///     handle?.join()?;
    /// }
    /// assert_eq!(runtime.mem_read(64, 1)?, [42]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`MachineError`] if there is no room for so many pages.
    pub fn new(pages: u32) -> Result<ThreadRuntime<NullIo>, MachineError> {
        let (imports, options) = (ProgramOptions::default(), RunOptions::default());
        ThreadRuntime::with_memory(pages..=pages, imports, options, NullIo)
    }
}

impl<Io: HostIo> ThreadRuntime<Io> {
    /// The same, over a memory that begins with so many pages of 64 KiB and grows to no more than so many; with functions of the host, options
    /// and streams for all modules.
    ///
    /// # Errors
    /// [`MachineError`] if it cannot be started.
    pub fn with_memory(
        pages: RangeInclusive<u32>,
        program: ProgramOptions,
        options: RunOptions,
        io: Io,
    ) -> Result<ThreadRuntime<Io>, MachineError> {
        let modules = Modules::growing(*pages.start(), *pages.end());
        let refused = |error: LinkError| MachineError::Instantiation(error.to_string());
        let program = modules.link(program).map_err(refused)?;
        let mut runtime = ThreadRuntime::with_program(&program, options, io)?;
        runtime.modules = Some(Mutex::new(modules));
        Ok(runtime)
    }

    /// Adds a module, whose exports are called by [`spawn_in`](ThreadRuntime::spawn_in), and by `NAME.EXPORT` wherever a function is named. It
    /// imports the memory as `env.mem` or `env.memory`. Its data is written now, as by the main thread; threads and instances that have entered
    /// the guest go on without it.
    ///
    /// # Errors
    /// [`SpawnError`], and then nothing has happened.
    pub fn add(&self, name: &str, wasm: &[u8]) -> Result<(), SpawnError> {
        let mut modules = self.modules()?;
        self.add_to(&mut modules, name, wasm)
    }

    /// Creates a thread of this module in the binary format, which is added unless it is there. It calls an exported function with these
    /// arguments, and runs when somebody waits.
    ///
    /// # Errors
    /// [`SpawnError`]
    pub fn spawn_wasm(
        &self,
        wasm: &[u8],
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<ThreadHandle, SpawnError> {
        let mut modules = self.modules()?;
        let name = match modules.name_of(wasm) {
            Some(known) => known.to_owned(),
            None => {
                let free = (modules.len()..).map(|number| format!("m{number}"));
                let name = free.into_iter().find(|name| !modules.has(name));
                let name = name.unwrap_or_default();
                self.add_to(&mut modules, &name, wasm)?;
                name
            }
        };
        drop(modules);
        Ok(self.spawn_in(&name, export, args)?)
    }

    /// The same with a module in the text format.
    ///
    /// # Errors
    /// [`SpawnError`]
    #[cfg(feature = "wat")]
    pub fn spawn_wat(
        &self,
        wat: &str,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<ThreadHandle, SpawnError> {
        self.spawn_wasm(&wat::parse_str(wat)?, export, args)
    }

    /// The same with the module that this program was made of.
    ///
    /// # Errors
    /// [`SpawnError`]
    pub fn spawn_module(
        &self,
        program: &Program,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<ThreadHandle, SpawnError> {
        self.spawn_wasm(program.original(), export, args)
    }

    fn modules(&self) -> Result<MutexGuard<'_, Modules>, SpawnError> {
        let modules = self.modules.as_ref().ok_or(SpawnError::OneProgram)?;
        Ok(modules.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add_to(&self, modules: &mut Modules, name: &str, wasm: &[u8]) -> Result<(), SpawnError> {
        if modules.len() >= MODULES {
            return Err(SpawnError::TooMany);
        }
        let more = modules.clone().add(name, wasm)?;
        let wasm = more.encode().map_err(LinkError::Program)?;
        let present = self.program()?;
        let program = present.extended(&wasm).map_err(LinkError::Program)?;
        self.shared()
            .act(|machine: &mut Machine| machine.extend(&program))?;
        *modules = more;
        Ok(())
    }
}
