//! Functions of the host for its guests, registered by name.

use crate::program::embedder::asynchronous::{self, Begin};
use crate::program::embedder::{Guest, HostError, HostImport, HostParams, HostResult};

/// Collects functions of the host: [`HostImport`]s with the names that such things have elsewhere.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grind_runtime::host::Linker;
/// use grind_runtime::{Program, ProgramOptions};
///
/// let mut linker = Linker::new();
/// linker
///     .func("env", "add", |_, (a, b): (i32, i32)| Ok(a + b))
///     .func_async("env", "fetch", |_, (number,): (u32,)| Ok(async move { Ok(number + 1) }));
/// let wasm = wat::parse_str(
///     r#"(module (import "env" "fetch" (func (param i32) (result i32))))"#,
/// )?;
/// let options = ProgramOptions::default().imports(linker.into_imports());
/// let program = Program::with_options(&wasm, options)?;
/// # let _ = program;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Linker(Vec<HostImport>);

impl Linker {
    /// Without functions.
    #[must_use]
    pub fn new() -> Linker {
        Linker::default()
    }

    /// A function; see [`HostImport::wrap`].
    pub fn func<P: HostParams, R: HostResult>(
        &mut self,
        module: &str,
        name: &str,
        function: impl Fn(&mut Guest<'_>, P) -> Result<R, HostError> + Send + Sync + 'static,
    ) -> &mut Linker {
        self.define(HostImport::wrap(module, name, function))
    }

    /// A function whose result comes from a future, which only the calling thread of the guest waits for; see
    /// [`HostImport::wrap_async`]. A guest can also begin a call and go on, by `threadlink::host::call_async`.
    pub fn func_async<P, R, F>(
        &mut self,
        module: &str,
        name: &str,
        function: impl Fn(&mut Guest<'_>, P) -> Result<F, HostError> + Send + Sync + 'static,
    ) -> &mut Linker
    where
        P: HostParams + 'static,
        R: HostResult + Send + 'static,
        F: Future<Output = Result<R, HostError>> + Send + 'static,
    {
        self.asynchronous::<P, R>(module, name, asynchronous::with_result(function))
    }

    /// The same, where the guest's memory is written when the future is ready; see [`HostImport::wrap_async_then`].
    pub fn func_async_then<P, R, T, F>(
        &mut self,
        module: &str,
        name: &str,
        function: impl Fn(&mut Guest<'_>, P) -> Result<F, HostError> + Send + Sync + 'static,
    ) -> &mut Linker
    where
        P: HostParams + 'static,
        R: HostResult,
        T: FnOnce(&mut Guest<'_>) -> Result<R, HostError> + Send + 'static,
        F: Future<Output = Result<T, HostError>> + Send + 'static,
    {
        self.asynchronous::<P, R>(module, name, asynchronous::with_then(function))
    }

    /// Both ways to import it.
    fn asynchronous<P: HostParams + 'static, R: HostResult>(
        &mut self,
        module: &str,
        name: &str,
        begin: Begin<P>,
    ) -> &mut Linker {
        let beginning = HostImport::beginning(module, name, begin.clone());
        HostImport::of_calls().into_iter().fold(
            (self.define(asynchronous::waiting::<P, R>(module, name, begin))).define(beginning),
            Linker::define,
        )
    }

    /// A function that is there already. It comes in place of one of the same name.
    pub fn define(&mut self, import: HostImport) -> &mut Linker {
        self.0.retain(|known| !known.is_named_as(&import));
        self.0.push(import);
        self
    }

    pub(super) fn imports(&self) -> &[HostImport] {
        &self.0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The function for the same import, if there is one.
    pub(super) fn named_as(&self, import: &HostImport) -> Option<&HostImport> {
        self.0.iter().find(|known| known.is_named_as(import))
    }

    /// For [`ProgramOptions::imports`](crate::ProgramOptions).
    #[must_use]
    pub fn into_imports(self) -> Vec<HostImport> {
        self.0
    }
}
