//! Why a module cannot be run.

use std::fmt;

/// Why a module cannot be run. Each message names the cause; none of them is a defect of grind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The bytes do not start with the wasm magic number.
    #[error("not a WebAssembly module: {0}")]
    NotWasm(String),
    /// The binary ends early.
    #[error("the module is truncated: {message} (at offset 0x{offset:x})")]
    Truncated {
        /// What was expected.
        message: String,
        /// Where, in bytes from the start of the file.
        offset: u64,
    },
    /// A component, which has to be unbundled into core modules first.
    #[error(
        "this is a WebAssembly component, not a core module; grind runs core modules (extract one with `wasm-tools component unbundle`)"
    )]
    Component,
    /// A 64-bit memory.
    #[error(
        "the module uses a 64-bit memory (memory64), which grind does not support; build it for wasm32"
    )]
    Memory64,
    /// A table with 64-bit indices, which is part of the same proposal.
    #[error(
        "the module has a table with 64-bit indices (memory64), which grind does not support; build it for wasm32"
    )]
    Table64,
    /// More than one memory.
    #[error("the module has {0} memories; grind supports one, which all threads share")]
    MultipleMemories(usize),
    /// It is to take another module's place, and has not all that this has.
    #[error("the module does not extend the one whose place it takes")]
    Extension,
    /// It uses proposals that grind does not support.
    #[error("the module uses {}, which grind does not support: {message} (at offset 0x{offset:x})", .proposals.join(", "))]
    Unsupported {
        /// The proposals.
        proposals: Vec<String>,
        /// What the validator said.
        message: String,
        /// Where, in bytes from the start of the file.
        offset: u64,
    },
    /// It does not validate.
    #[error("invalid module: {message} (at offset 0x{offset:x})")]
    Invalid {
        /// What the validator said.
        message: String,
        /// Where, in bytes from the start of the file.
        offset: u64,
    },
    /// Imports that grind does not provide, or provides with another type. All of them.
    #[error("{}", DisplayImports(.0))]
    Imports(Vec<ImportProblem>),
    /// `thread_start` is missing or has another type although the module creates threads.
    #[error(
        "the module imports `{import}` but {problem}; a thread's entry must be exported as `{export}` with type `{expected}`"
    )]
    ThreadStart {
        /// The import that creates threads.
        import: String,
        /// The export that is looked for.
        export: &'static str,
        /// Its type.
        expected: &'static str,
        /// What was found.
        problem: String,
    },
    /// It creates threads, and its memory is not shared: in any host each thread would have a memory of its own.
    #[error(
        "the module imports `{import}` but its memory is not shared; build it with a shared memory (`--shared-memory`, \
         or `(memory MIN MAX shared)`)"
    )]
    UnsharedMemory {
        /// The import that creates threads.
        import: String,
    },
    /// The module is beyond a limit of the lowering.
    #[error("the module is too large: {0}")]
    TooLarge(String),
}

/// One import that cannot be satisfied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportProblem {
    /// Module it is imported from.
    pub module: String,
    /// Its name.
    pub name: String,
    /// Its declared type.
    pub declared: String,
    /// What is wrong with it.
    pub problem: String,
}

struct DisplayImports<'a>(&'a [ImportProblem]);

impl fmt::Display for DisplayImports<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "an import cannot be satisfied:")?,
            n => write!(f, "{n} imports cannot be satisfied:")?,
        }
        for import in self.0 {
            write!(
                f,
                "\n  `{}` from `{}`, {}: {}",
                import.name.escape_debug(),
                import.module.escape_debug(),
                import.declared,
                import.problem
            )?;
        }
        Ok(())
    }
}

impl ProgramError {
    /// Tells a module that is wrong from one that is only ahead of grind.
    pub(super) fn naming_proposals(self, wasm: &[u8]) -> ProgramError {
        match self {
            ProgramError::Invalid { message, offset } => {
                let proposals = super::unsupported_proposals(wasm);
                if proposals.is_empty() {
                    ProgramError::Invalid { message, offset }
                } else {
                    ProgramError::Unsupported {
                        proposals,
                        message,
                        offset,
                    }
                }
            }
            other => other,
        }
    }
}

impl From<wasmparser::BinaryReaderError> for ProgramError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        let (message, offset) = (error.message().to_owned(), error.offset());
        if message.contains("unexpected end") || message.contains("unexpected end-of-file") {
            ProgramError::Truncated { message, offset }
        } else {
            ProgramError::Invalid { message, offset }
        }
    }
}

impl From<wasm_encoder::reencode::Error> for ProgramError {
    fn from(error: wasm_encoder::reencode::Error) -> Self {
        match error {
            wasm_encoder::reencode::Error::ParseError(error) => error.into(),
            other => ProgramError::Invalid {
                message: other.to_string(),
                offset: 0,
            },
        }
    }
}
