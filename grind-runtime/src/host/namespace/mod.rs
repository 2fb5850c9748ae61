//! A module in one call: everything that a run of it is given, put together.

mod entry;
mod error;
mod functions;
mod live;
mod source;

pub use error::NamespaceError;
pub use live::LiveNamespace;

use super::{Linker, Stdio};
use crate::detect::AnalysisOptions;
use crate::model::{Control, Limits, Schedule, Unfinished};
use crate::program::Program;
use crate::program::embedder::{
    Executor, Guest, HostError, HostImport, HostParams, HostResult, Role,
};
#[cfg(feature = "files")]
use crate::session::Preopen;
use crate::session::{RunOptions, TraceOutput};
use functions::Functions;
use source::Source;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// A group of threads over one memory, with all that it is given: streams, arguments, directories, functions. The names are those of
/// wasmtime's `WasiCtxBuilder` and of Node's `WASI`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grind_runtime::host::{Namespace, Stdio};
///
/// let wasm = wat::parse_str(r#"(module
///     (import "env" "twice" (func $twice (param i32) (result i32)))
///     (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
///     (memory (export "memory") 1 1 shared)
///     (func (export "_start") (call $exit (call $twice (i32.const 21)))))"#)?;
/// let outcome = Namespace::from_bytes(wasm)
///     .args(["app", "--threads", "4"])
///     .env("RUST_BACKTRACE", "1")
///     .stdio(Stdio::capture())
///     .func("env", "twice", |_, (number,): (i32,)| Ok(2 * number))
///     .run()?;
/// assert_eq!(outcome.exit_code(), 42);
/// # Ok(())
/// # }
/// ```
///
/// [`run`](Namespace::run) calls the entry, and [`start`](Namespace::start) lets the host call what it likes. Each namespace is used by
/// whatever threads of the host have it; several are independent of each other. Dropped at any time, it ends its threads.
///
/// If nothing else is said it has the standard streams of the process, no arguments, environment or directories, the usual limits, and the
/// schedule that `grind run` has.
#[must_use = "it does nothing before it is run or started"]
pub struct Namespace {
    source: Source,
    functions: Functions,
    options: RunOptions,
    stdio: Stdio,
    keep: bool,
    /// Where the run is recorded.
    trace: Option<TraceOutput>,
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("source", &self.source)
            .field("options", &self.options)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

impl Namespace {
    /// Of a module in a file, in the binary format. It is read here.
    ///
    /// # Errors
    /// [`NamespaceError::Read`]
    pub fn from_file(path: impl AsRef<Path>) -> Result<Namespace, NamespaceError> {
        Ok(Namespace::of(Source::read(path.as_ref())?))
    }

    /// Of a module in the binary format.
    pub fn from_bytes(wasm: impl Into<Vec<u8>>) -> Namespace {
        Namespace::of(Source::Wasm(wasm.into()))
    }

    /// Of a program, which is lowered and translated once for all namespaces of it. The functions that it has are given to all threads, but for
    /// those that the namespace has as well.
    pub fn from_program(program: &Program) -> Namespace {
        Namespace::of(Source::Program(program.clone()))
    }

    fn of(source: Source) -> Namespace {
        Namespace {
            source,
            functions: Functions::default(),
            options: RunOptions::default(),
            stdio: Stdio::inherit(),
            keep: false,
            trace: None,
        }
    }

    /// The exported function that is the entry: by default `_start`, else `main`. If it is another than `_start`, an exported `_initialize`
    /// is called before it. It takes no arguments; a `main(argc, argv)` of C is given zeros.
    pub fn entry(mut self, function: impl Into<String>) -> Namespace {
        self.options.spec.entry.function = Some(function.into());
        self
    }

    /// What becomes of threads that still run when the entry returns, or when a thread exits: what `grind run` does if nothing else is said.
    pub fn unfinished(mut self, unfinished: Unfinished) -> Namespace {
        self.options.spec.entry.unfinished = unfinished;
        self
    }

    /// Arguments, the program's name first, in place of earlier ones.
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Namespace {
        self.options.spec.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// A variable of the environment, besides earlier ones. Nothing comes from that of the process.
    pub fn env(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Namespace {
        self.envs([(name, value)])
    }

    /// The same for several.
    pub fn envs(
        mut self,
        envs: impl IntoIterator<Item = (impl AsRef<[u8]>, impl AsRef<[u8]>)>,
    ) -> Namespace {
        let pairs = envs.into_iter();
        let pairs = pairs.map(|(name, value)| [name.as_ref(), value.as_ref()].join(&b'='));
        self.options.spec.env.extend(pairs);
        self
    }

    /// Standard streams, in place of those of the process.
    pub fn stdio(mut self, stdio: Stdio) -> Namespace {
        self.stdio = stdio;
        self
    }

    /// Gives the guest the directory `host` as `guest`, with all that is in it.
    ///
    /// # Errors
    /// [`NamespaceError::Directory`] if it cannot be opened.
    #[cfg(feature = "files")]
    pub fn preopened_dir(
        mut self,
        host: impl AsRef<Path>,
        guest: impl Into<String>,
    ) -> Result<Namespace, NamespaceError> {
        let host = host.as_ref();
        let opened = Preopen::open(host, guest);
        let directory = opened.map_err(|error| NamespaceError::Directory {
            path: host.to_owned(),
            error,
        })?;
        self.options = self.options.directory(directory);
        Ok(self)
    }

    /// Bytes of memory to begin with, if that is more than the module says; in whole pages of 64 KiB, up to the module's own maximum.
    pub fn initial_memory(mut self, bytes: u64) -> Namespace {
        self.options.spec.initial_memory = Some(bytes);
        self
    }

    /// Bytes of memory at most: beyond, `memory.grow` returns -1. See [`Limits::memory`].
    pub fn maximum_memory(mut self, bytes: u64) -> Namespace {
        self.options.spec.limits.memory = bytes;
        self
    }

    /// Bounds of the run, in place of all that were given before.
    pub fn limits(mut self, limits: Limits) -> Namespace {
        self.options.spec.limits = limits;
        self
    }

    /// The usual strategy with this seed decides who runs when.
    pub fn seed(self, seed: u64) -> Namespace {
        self.schedule(Schedule::from(seed))
    }

    /// Who runs when.
    pub fn schedule(mut self, schedule: Schedule) -> Namespace {
        self.options.spec.schedule = schedule;
        self
    }

    /// What to look for, and the bounds of looking.
    pub fn analysis(mut self, analysis: AnalysisOptions) -> Namespace {
        self.options.analysis = analysis;
        self
    }

    /// Writes a trace of the run, as [`ThreadRuntime::record`](super::ThreadRuntime::record) does.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grind_runtime::TraceReader;
    /// use grind_runtime::host::Namespace;
    /// use std::fs::File;
    ///
    /// let wasm = wat::parse_str(r#"(module (func (export "_start")))"#)?;
    /// let directory = tempfile::tempdir()?;
    /// let trace = directory.path().join("app.trace");
    /// Namespace::from_bytes(wasm.clone()).record(File::create(&trace)?).run()?;
    /// assert_eq!(TraceReader::open(File::open(&trace)?)?.module(), Some(&wasm[..]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn record(mut self, out: impl Write + Send + 'static) -> Namespace {
        self.trace = Some(Box::new(out));
        self
    }

    /// The run seen from outside: it can be told to stop, wherever it is. Calls in flight are dropped then.
    pub fn control(mut self, control: Arc<Control>) -> Namespace {
        self.options.control = control;
        self
    }

    /// Where the futures of asynchronous functions run.
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Namespace {
        self.options.executor = Some(executor);
        self
    }

    /// All that is said of the run, in place of what was said before: streams, functions and [`keep`](Namespace::keep) stay.
    pub fn options(mut self, options: RunOptions) -> Namespace {
        self.options = options;
        self
    }

    /// A function for all threads; see [`HostImport::wrap`](crate::HostImport::wrap).
    pub fn func<P: HostParams, R: HostResult>(
        mut self,
        module: &str,
        name: &str,
        function: impl Fn(&mut Guest<'_>, P) -> Result<R, HostError> + Send + Sync + 'static,
    ) -> Namespace {
        (self.functions).add(None, [HostImport::wrap(module, name, function)]);
        self
    }

    /// A function for the main thread, or for threads that the guest creates. The other role may be given another function for the same import,
    /// of the same type. If it is not, and a thread of it calls this one, it traps, and the reason says so.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grind_runtime::host::{Namespace, Role};
    ///
    /// let wasm = wat::parse_str(r#"(module
    ///     (import "env" "name" (func $name (result i32)))
    ///     (func (export "_start") (drop (call $name))))"#)?;
    /// let outcome = Namespace::from_bytes(wasm)
    ///     .func_for(Role::Worker, "env", "name", |_, ()| Ok(2))
    ///     .run()?;
    /// let why = "`env.name` is a function for threads that the guest created, and the main thread called it";
    /// assert_eq!(outcome.analysis.traps[0].reason, why);
    /// # Ok(())
    /// # }
    /// ```
    pub fn func_for<P: HostParams, R: HostResult>(
        mut self,
        role: Role,
        module: &str,
        name: &str,
        function: impl Fn(&mut Guest<'_>, P) -> Result<R, HostError> + Send + Sync + 'static,
    ) -> Namespace {
        (self.functions).add(Some(role), [HostImport::wrap(module, name, function)]);
        self
    }

    /// Functions for all threads, asynchronous ones among them. A later one comes in place of an earlier one of the same name.
    pub fn imports(mut self, linker: Linker) -> Namespace {
        self.functions.add(None, linker.into_imports());
        self
    }

    /// The same for the threads of a role, which have these before those for all threads.
    pub fn imports_for(mut self, role: Role, linker: Linker) -> Namespace {
        self.functions.add(Some(role), linker.into_imports());
        self
    }

    /// A [live](Namespace::start) namespace stays when its [entry](LiveNamespace::call_entry) has ended: its threads run on, and more exports can
    /// be called. Otherwise that is the end of the run.
    pub fn keep(mut self) -> Namespace {
        self.keep = true;
        self
    }

    /// The program, with the functions of both.
    fn program(&mut self) -> Result<Program, NamespaceError> {
        let functions = std::mem::take(&mut self.functions);
        self.source.program(functions)
    }
}
