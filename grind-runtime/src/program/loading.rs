//! A module that becomes a program in steps, for a caller that has other things to do on its only thread.

use super::lower::{Lowered, Lowering};
use super::module::{ModuleInfo, Parsed, Parsing};
use super::{Module, Parts, Program, ProgramError, ProgramOptions, Translation, imports};
use std::ops::ControlFlow;
use std::sync::Arc;

/// A module that becomes a [`Program`] in steps, each a fraction of a millisecond or the time of one function. What comes of it is what
/// [`Program::with_options`] makes, which does no more than to make all of them.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grind_runtime::{Loading, ProgramOptions};
/// use std::ops::ControlFlow;
///
/// let wasm = wat::parse_str(r#"(module (func (export "_start")))"#)?;
/// let mut loading = Loading::new(&wasm, ProgramOptions::default());
/// let program = loop {
///     match loading.step()? {
///         ControlFlow::Continue(left) => loading = left,
///         ControlFlow::Break(program) => break program,
///     }
///     // Here is the time for something else.
/// };
/// assert_eq!(&**program.original(), wasm);
/// # Ok(())
/// # }
/// ```
pub struct Loading {
    original: Arc<[u8]>,
    options: ProgramOptions,
    /// Nobody is to call what the embedder provided.
    replayed: bool,
    at: At,
}

enum At {
    Start,
    Parse(Box<Parsing>),
    Parsed(Box<Parsed>),
    Lower(Lowering),
}

/// Sections and heads of functions that are read in a step.
const PAYLOADS: usize = 64;

impl std::fmt::Debug for Loading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loading").finish_non_exhaustive()
    }
}

impl Loading {
    /// A module in the binary format, of which nothing was read.
    #[must_use]
    pub fn new(wasm: &[u8], options: ProgramOptions) -> Loading {
        Loading {
            original: wasm.into(),
            options,
            replayed: false,
            at: At::Start,
        }
    }

    /// See [`Program::for_replay`].
    #[must_use]
    pub fn for_replay(wasm: &[u8], options: ProgramOptions) -> Loading {
        Loading {
            replayed: true,
            ..Loading::new(wasm, options)
        }
    }

    /// Makes all steps that are left.
    ///
    /// # Errors
    /// See [`Program::new`].
    pub fn complete(self) -> Result<Program, ProgramError> {
        let mut loading = self;
        loop {
            match loading.step()? {
                ControlFlow::Continue(left) => loading = left,
                ControlFlow::Break(program) => return Ok(program),
            }
        }
    }

    /// Makes a step.
    ///
    /// # Errors
    /// See [`Program::new`].
    pub fn step(self) -> Result<ControlFlow<Program, Loading>, ProgramError> {
        let Loading {
            original,
            mut options,
            replayed,
            at,
        } = self;
        let next = at.step(&original, &mut options, replayed);
        Ok(
            match next.map_err(|error| error.naming_proposals(&original))? {
                ControlFlow::Continue(at) => ControlFlow::Continue(Loading {
                    original,
                    options,
                    replayed,
                    at,
                }),
                ControlFlow::Break((info, lowered)) => {
                    ControlFlow::Break(Program(Arc::new(Parts {
                        module: Arc::new(Module {
                            original,
                            info,
                            lowered,
                            instrumentation: options.instrumentation,
                            rules: options.interceptors,
                            translation: Translation::new(options.translate),
                        }),
                        embedder: options.imports,
                        driver: options.driver,
                    })))
                }
            },
        )
    }
}

/// What a module declares, and what became of it.
type Done = (ModuleInfo, Lowered);

impl At {
    fn step(
        self,
        wasm: &[u8],
        options: &mut ProgramOptions,
        replayed: bool,
    ) -> Result<ControlFlow<Done, At>, ProgramError> {
        Ok(ControlFlow::Continue(match self {
            At::Start => At::Parse(Box::new(Parsing::new(wasm)?)),
            At::Parse(mut parsing) => {
                for _ in 0..PAYLOADS {
                    if !parsing.step(wasm)? {
                        let parsed = Box::new(parsing.finish()?);
                        return Ok(ControlFlow::Continue(At::Parsed(parsed)));
                    }
                }
                At::Parse(parsing)
            }
            At::Parsed(parsed) => {
                if replayed {
                    (options.imports).extend(imports::stand_ins(&parsed.info));
                }
                imports::check(&parsed.info, &options.imports)?;
                At::Lower(Lowering::new(*parsed))
            }
            At::Lower(lowering) => {
                return Ok(lowering.step(wasm, options)?.map_continue(At::Lower));
            }
        }))
    }
}
