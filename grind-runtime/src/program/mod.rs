//! What the guest *is*: parsed, validated, lowered to plain wasm, with a site for everything observable.

pub mod embedder;
mod error;
pub mod imports;
pub mod interceptors;
mod link;
mod loading;
pub mod lock_words;
mod lower;
mod module;
mod serialized;
pub mod symbols;
pub mod waits;

pub use error::{ImportProblem, ProgramError};
pub(crate) use link::export_name;
pub use link::{LinkError, Modules};
pub use loading::Loading;
pub use lower::Instrumentation;
pub(crate) use lower::RING_END;
pub(crate) use lower::hooks::{self, AtomicOp, Hook};
pub(crate) use module::DataSegment;
pub use module::{Import, MemoryShape, ModuleInfo, unsupported_proposals};
pub use serialized::{DeserializeError, SerializeError};
pub(crate) use wasmparser::ValType as WasmType;

use crate::model::sites::{SiteId, SiteTable};
use derive_setters::Setters;
use interceptors::{Interceptor, Role};
use lock_words::LockWord;
use rustc_hash::FxHashMap;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A guest, ready to be run any number of times. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Program(Arc<Parts>);

/// What a program is made of.
#[derive(Debug)]
struct Parts {
    module: Arc<Module>,
    embedder: Vec<embedder::HostImport>,
    driver: Option<embedder::Driver>,
}

/// What does not depend on the functions of the embedder, but for their types.
#[derive(Debug)]
struct Module {
    original: Arc<[u8]>,
    info: ModuleInfo,
    lowered: lower::Lowered,
    instrumentation: Instrumentation,
    rules: Vec<interceptors::Rule>,
    translation: Translation,
}

/// What an engine made of the lowered module, kept so that only the first of many runs translates it. Which engine that was is
/// not known here.
struct Translation {
    when: Translate,
    kept: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

impl Translation {
    fn new(when: Translate) -> Translation {
        Translation {
            when,
            kept: Mutex::default(),
        }
    }
}

impl std::fmt::Debug for Translation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Translation")
    }
}

/// When the engine translates functions. What happens in a run does not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Translate {
    /// All of them, before the first run begins.
    #[default]
    AtOnce,
    /// Each when it is called first, for runs [in steps](crate::session::SteppedRun) none of which may take long. A function that is larger than
    /// the engine takes ends a run where it is called, and what is never called takes no time.
    AsCalled,
}

/// How a module is turned into a [`Program`].
#[derive(Clone, Debug, Default, Setters)]
#[non_exhaustive]
pub struct ProgramOptions {
    /// What the lowered code reports.
    pub instrumentation: Instrumentation,
    /// When the engine translates it.
    pub translate: Translate,
    /// Functions to intercept besides those that are known.
    pub interceptors: Vec<interceptors::Rule>,
    /// Functions that the embedder provides.
    pub imports: Vec<embedder::HostImport>,
    /// What the main thread calls, in place of an entry.
    pub driver: Option<embedder::Driver>,
}

impl Program {
    /// Parses, validates and lowers a module in the binary format.
    ///
    /// # Errors
    /// [`ProgramError`] names what is wrong with the module or what grind cannot run.
    pub fn new(wasm: &[u8]) -> Result<Program, ProgramError> {
        Program::with_options(wasm, ProgramOptions::default())
    }

    /// Like [`Program::new`], with options.
    ///
    /// # Errors
    /// See [`Program::new`].
    pub fn with_options(wasm: &[u8], options: ProgramOptions) -> Result<Program, ProgramError> {
        Loading::new(wasm, options).complete()
    }

    /// The same program with these functions of the embedder in place of those that it has. Nothing is lowered or translated again.
    ///
    /// # Errors
    /// [`ProgramError::Imports`] with all imports that nobody provides then, or not as they are declared.
    pub fn with_imports(
        &self,
        imports: Vec<embedder::HostImport>,
    ) -> Result<Program, ProgramError> {
        imports::check(self.info(), &imports)?;
        Ok(Program(Arc::new(Parts {
            module: Arc::clone(&self.0.module),
            embedder: imports,
            driver: self.0.driver.clone(),
        })))
    }

    /// Parses, validates and lowers the module of a trace, for runs that get all answers from that: what the embedder provided when it was
    /// recorded is called by nobody, and need not be there.
    ///
    /// # Errors
    /// See [`Program::new`].
    pub fn for_replay(wasm: &[u8], options: ProgramOptions) -> Result<Program, ProgramError> {
        Loading::for_replay(wasm, options).complete()
    }

    /// A program of this module in place of the own one, made as that was. What the own one has is the same in it: sites, functions, data; so
    /// that threads of a run can be in either.
    ///
    /// # Errors
    /// See [`Program::new`]; [`ProgramError::Extension`] if it is not so.
    pub(crate) fn extended(&self, wasm: &[u8]) -> Result<Program, ProgramError> {
        let options = ProgramOptions {
            instrumentation: self.0.module.instrumentation,
            translate: self.translate(),
            interceptors: self.rules().to_vec(),
            imports: self.embedder().to_vec(),
            driver: self.driver().cloned(),
        };
        let program = Program::with_options(wasm, options)?;
        let (own, new) = (self.info(), program.info());
        let same = program.sites().extends(self.sites())
            && new.active_data.len() >= own.active_data.len()
            && new.memory == own.memory;
        match same {
            true => Ok(program),
            false => Err(ProgramError::Extension),
        }
    }

    /// What a module declares, whether or not it can be run.
    ///
    /// # Errors
    /// [`ProgramError`] if its declarations do not parse or validate.
    pub fn inspect(wasm: &[u8]) -> Result<ModuleInfo, ProgramError> {
        Ok(module::parse(wasm)?.info)
    }

    /// The module as it was given.
    #[must_use]
    pub fn original(&self) -> &Arc<[u8]> {
        &self.0.module.original
    }

    /// What the module declares.
    #[must_use]
    pub fn info(&self) -> &ModuleInfo {
        &self.0.module.info
    }

    /// The module the engine runs.
    #[must_use]
    pub fn lowered(&self) -> &[u8] {
        &self.0.module.lowered.wasm
    }

    /// Every site of the module.
    #[must_use]
    pub fn sites(&self) -> &Arc<SiteTable> {
        &self.0.module.lowered.sites
    }

    /// Functions that are modelled rather than looked into, by index in the original module.
    #[must_use]
    pub fn interceptors(&self) -> &[(u32, Interceptor)] {
        &self.0.module.lowered.interceptors
    }

    /// Those of the user, besides the ones that are known.
    pub(crate) fn rules(&self) -> &[interceptors::Rule] {
        &self.0.module.rules
    }

    /// Instructions that take a lock which is a word in memory.
    pub(crate) fn lock_sites(&self) -> &Arc<FxHashMap<SiteId, LockWord>> {
        &self.0.module.lowered.lock_sites
    }

    /// Kinds of locks that are a word in memory and that the module has, with the number of places where they are taken
    /// inline.
    #[must_use]
    pub fn lock_words(&self) -> BTreeMap<LockWord, usize> {
        let mut words = BTreeMap::new();
        for (_, interceptor) in self.interceptors() {
            if let Role::LockWord { word, .. } = interceptor.role {
                words.entry(word).or_insert(0);
            }
        }
        for word in self.lock_sites().values() {
            *words.entry(*word).or_insert(0) += 1;
        }
        words
    }

    /// What the embedder provides.
    pub(crate) fn embedder(&self) -> &[embedder::HostImport] {
        &self.0.embedder
    }

    /// What the main thread calls, if the embedder decides.
    pub(crate) fn driver(&self) -> Option<&embedder::Driver> {
        self.0.driver.as_ref()
    }

    /// When an engine is to translate functions.
    pub(crate) fn translate(&self) -> Translate {
        self.0.module.translation.when
    }

    /// What an engine made of the program, which it makes now if it has not. Others that ask meanwhile wait for it.
    pub(crate) fn translated<T: Any + Send + Sync, E>(
        &self,
        translate: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let mut kept =
            (self.0.module.translation.kept.lock()).unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(known)) = kept.clone().map(Arc::downcast) {
            return Ok(known);
        }
        let new = Arc::new(translate()?);
        *kept = Some(new.clone());
        Ok(new)
    }

    /// Whether an instance of a finished thread may serve another one: nothing but its globals can
    /// have changed, and these are exported for the reset.
    #[must_use]
    pub fn instances_recyclable(&self) -> bool {
        self.0.module.lowered.recyclable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_translated_once_and_again_after_a_failure() {
        let program = Program::new(b"\0asm\x01\0\0\0").expect("a module");
        assert_eq!(program.translated(|| Err::<u32, _>("no")), Err("no"));
        let first = program.translated(|| Ok::<_, &str>(7));
        assert_eq!(first, Ok(Arc::new(7)));
        assert_eq!(program.translated(|| Err::<u32, _>("asked again")), first);
    }
}
